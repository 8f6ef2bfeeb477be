#include "wire/json_depth.hpp"

#include "support/catch.hpp"

#include <string>

using dynconf::wire::deeper_than;

TEST_CASE("json depth: brackets are counted, but not those of texts") {
    const struct { const char* json; std::size_t depth; } rows[] = {
        {"", 0}, {"1", 0}, {"\"[[[{{{\"", 0}, {"[]", 1}, {"{\"a\":[1,{}]}", 3}, {"[[],[],[]]", 2}, {"[\"]\",[]]", 2},
        {R"(["\"[[[", []])", 2}, {R"(["\\", []])", 2}, {R"("\)", 0},
        {"]]]}[[", 2},   // what closes nothing opens no room
        {"[}[}", 1},
        {"[[[", 3},
    };
    for (const auto& r : rows) {
        INFO(r.json);
        CHECK_FALSE(deeper_than(r.json, r.depth));
        if (r.depth > 0) CHECK(deeper_than(r.json, r.depth - 1));
    }
    CHECK(deeper_than(std::string(1'000'000, '['), 32));
}
