#include "config/wipe_value.hpp"

#include <dynconf/config/json.hpp>

#include "config/shard.hpp"
#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

using namespace dynconf;
using nlohmann::json;

namespace {

value wiped(value v) {
    detail::wipe_value(v);
    return v;
}

}  // namespace

TEST_CASE("wipe_value: whatever its type, nothing of it is left", "[secret]") {
    CHECK(wiped(value("hunter2")) == "");
    CHECK(wiped(value(std::string(100, 'x'))) == "");
    CHECK(wiped(value(std::vector<std::string>{"one", std::string(100, 'x')})) == std::vector<std::string>{"", ""});
    CHECK(wiped(value(12345)) == 0);
    CHECK(wiped(value(~std::uint64_t{0})).if_unsigned()[0] == 0);
    CHECK(wiped(value(1.5)) == 0.0);
    CHECK(wiped(value(true)) == false);
    CHECK(wiped(value(std::chrono::seconds(5))) == std::chrono::seconds(0));
    CHECK(wiped(value()).is_null());
}

TEST_CASE("wipe_value: a JSON document, unless somebody else has it", "[secret]") {
    const json document = {{"user", "svc"}, {"pins", {1, -2, 2.5, true, nullptr}}, {"raw", json::binary({1, 2, 3})}, {"in", {{"deep", "hunter2"}}}};
    const json nothing = {{"user", ""}, {"pins", {0u, 0, 0.0, false, nullptr}}, {"raw", json::binary({0, 0, 0})}, {"in", {{"deep", ""}}}};
    CHECK(*wiped(value(document)).if_json() == nothing);
    const value kept(document);
    CHECK(*wiped(kept).if_json() == document);

    json deep;
    for (int i = 0; i < 100'000; ++i) deep = json::array({std::move(deep)});
    CHECK(wiped(value(std::move(deep))).if_json()->is_array());
}

TEST_CASE("a secret setting is wiped with the last snapshot that has it, and no other is", "[secret]") {
    const std::int64_t number = 0x1122334455667788;
    for (const bool secret : {false, true}) {
        alignas(detail::stored_entry) std::array<char, sizeof(detail::stored_entry)> room{};
        auto* const stored = new (room.data()) detail::stored_entry(0, "pin", {value(number), {}, secret});
        stored->~stored_entry();
        const std::string_view left(room.data(), room.size());
        CHECK((left.find({reinterpret_cast<const char*>(&number), sizeof number}) == std::string_view::npos) == secret);
    }
}
