#include <dynconf/secret.hpp>

#include "support/catch.hpp"

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

using dynconf::secret;

namespace {

template <class T>
concept streamable = requires(std::ostream& out, const T& value) { out << value; };

}  // namespace

TEST_CASE("secret: content, copies and moves", "[secret]") {
    const secret none;
    CHECK(none.empty());
    CHECK(none.reveal().empty());

    secret a("hunter2");
    CHECK(a.size() == 7);
    CHECK(a.reveal() == "hunter2");

    const secret copy = a;
    CHECK(copy.reveal() == "hunter2");
    CHECK(copy.reveal().data() != a.reveal().data());

    secret moved = std::move(a);
    CHECK(moved.reveal() == "hunter2");
    CHECK(a.empty());   // NOLINT: what is left is empty

    a = moved;
    moved = secret(std::string("with\0zero", 9));
    CHECK(a.reveal() == "hunter2");
    CHECK(moved.size() == 9);
    moved = secret();
    CHECK(moved.empty());
}

TEST_CASE("secret: equal only to the same bytes", "[secret]") {
    CHECK(secret("abc") == secret("abc"));
    CHECK_FALSE(secret("abc") == secret("abd"));
    CHECK_FALSE(secret("abc") == secret("ab"));
    CHECK(secret() == secret(""));
}

TEST_CASE("secret: cannot be printed, nor taken for text", "[secret]") {
    static_assert(!streamable<secret>);
    static_assert(!std::is_convertible_v<secret, std::string>);
    static_assert(!std::is_convertible_v<secret, std::string_view>);
    static_assert(std::is_nothrow_move_constructible_v<secret>);
}

TEST_CASE("secret: wipe empties a string, and what a longer text left behind", "[secret]") {
    std::string text(100, 'x');
    const char* const memory = text.data();
    text.resize(3);
    dynconf::wipe(text);
    CHECK(text.empty());
    CHECK(text.data() == memory);
    // The string still owns these bytes, whatever it calls its size.
    CHECK(std::string_view(memory, 100).find('x') == std::string_view::npos);
}
