#include "support/catch.hpp"

#include "wire/frame_splitter.hpp"

#include <string>
#include <vector>

using namespace dynconf::wire;

namespace {

struct frames {
    std::vector<std::string> whole;
    std::string open;   // the last one, without its newline

    friend bool operator==(const frames&, const frames&) = default;
};

void feed(frame_splitter& splitter, frames& to, std::string_view input) {
    while (!input.empty()) {
        const auto piece = splitter.next(input);
        to.open += piece.bytes;
        if (!piece.ends_frame) continue;
        to.whole.push_back(to.open);
        to.open.clear();
    }
}

}  // namespace

TEST_CASE("frames are found whatever the pieces") {
    // A large message comes as two chunks, the newline alone in the second; an error line of an old gateway has none.
    const std::string stream = "{\"result\":{}}\n\n\n{\"a\":1}\n{\"error\":{}}";
    const frames expected{{"{\"result\":{}}", "{\"a\":1}"}, "{\"error\":{}}"};
    for (std::size_t i = 0; i <= stream.size(); ++i) {
        for (std::size_t j = i; j <= stream.size(); ++j) {
            frame_splitter splitter(100);
            frames found;
            feed(splitter, found, std::string_view(stream).substr(0, i));
            feed(splitter, found, std::string_view(stream).substr(i, j - i));
            feed(splitter, found, std::string_view(stream).substr(j));
            REQUIRE(found == expected);
            REQUIRE_FALSE(splitter.at_boundary());
            REQUIRE_FALSE(splitter.overflow());
            feed(splitter, found, "\n");
            REQUIRE(found.whole.size() == 3);
            REQUIRE(splitter.at_boundary());
        }
    }
}

TEST_CASE("nothing to take is no frame") {
    frame_splitter splitter(10);
    std::string_view input;
    CHECK_FALSE(splitter.next(input).ends_frame);
    input = "\n\n\n";
    CHECK_FALSE(splitter.next(input).ends_frame);
    CHECK(input.empty());
    CHECK(splitter.at_boundary());
}

TEST_CASE("a frame that grows too large is seen at once") {
    frame_splitter splitter(4);
    frames found;
    feed(splitter, found, "abcd");
    CHECK_FALSE(splitter.overflow());
    feed(splitter, found, "\nabcd");
    CHECK_FALSE(splitter.overflow());
    feed(splitter, found, "e");
    CHECK(splitter.overflow());
}

TEST_CASE("a frame that is too large is seen even when it came whole") {
    frame_splitter splitter(4);
    frames found;
    feed(splitter, found, "abcde\n");
    CHECK(splitter.overflow());
    CHECK_FALSE(splitter.at_boundary());
}
