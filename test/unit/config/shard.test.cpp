#include "support/catch.hpp"

#include "config/shard.hpp"

#include <map>
#include <random>

using namespace dynconf;
using detail::hashed_name;
using detail::shard;
using detail::stored_entry;
using detail::stored_ptr;

namespace {

// A hash of the test's own choice: entries of one home stand in each other's way.
stored_ptr made(std::size_t home, int id, int content) {
    return stored_ptr(new stored_entry(home << 20, "n" + std::to_string(id), {value(content), {}, false}));
}

}  // namespace

TEST_CASE("an empty shard has nothing", "[shard]") {
    shard s;
    CHECK(s.size() == 0);
    CHECK(s.find(hashed_name("x")) == nullptr);
    CHECK_FALSE(s.erase(hashed_name("x")));
    CHECK(s.each([](const stored_entry&) { return false; }));
}

TEST_CASE("entries with the very same hash are told apart by name", "[shard]") {
    shard s;
    for (int i = 0; i < 5; ++i) s.put(made(7, i, i));
    CHECK(s.size() == 5);
    for (int i = 0; i < 5; ++i) CHECK(s.find(hashed_name(*made(7, i, 0)))->data.content == i);
    CHECK(s.find(hashed_name(*made(7, 9, 0))) == nullptr);
    s.put(made(7, 3, 33));
    CHECK(s.size() == 5);
    CHECK(s.find(hashed_name(*made(7, 3, 0)))->data.content == 33);
}

TEST_CASE("a walk ends when it is told to", "[shard]") {
    shard s;
    for (int i = 0; i < 5; ++i) s.put(made(static_cast<std::size_t>(i), i, i));
    int seen = 0;
    CHECK_FALSE(s.each([&](const stored_entry&) { return ++seen < 2; }));
    CHECK(seen == 2);
}

TEST_CASE("a copy is independent and shares the entries", "[shard]") {
    shard a;
    const auto item = made(1, 1, 1);
    a.put(item);
    shard b(a);
    b.put(made(1, 1, 2));
    CHECK(a.find(hashed_name(*item)) == item.get());
    CHECK(b.find(hashed_name(*item))->data.content == 2);
}

TEST_CASE("crowded homes: random edits agree with a map", "[shard]") {
    for (const unsigned seed : {1u, 2u, 3u}) {
        std::mt19937 random(seed);
        shard s;
        std::map<int, int> model;
        // few homes, the last ones of a table of any size among them, so that chains run into each other and wrap round
        const std::size_t homes[] = {0, 1, 2, 7, 15, 31, 63};
        for (int step = 0; step < 6'000; ++step) {
            const int id = static_cast<int>(random() % 40);
            const auto home = homes[static_cast<std::size_t>(id) % std::size(homes)];
            const int content = static_cast<int>(random() % 1000);
            if (random() % 2) {
                s.put(made(home, id, content));
                model[id] = content;
            } else {
                REQUIRE(s.erase(hashed_name(*made(home, id, 0))) == (model.erase(id) == 1));
            }
            REQUIRE(s.size() == model.size());
            for (const auto& [i, c] : model) {
                const auto its_home = homes[static_cast<std::size_t>(i) % std::size(homes)];
                const auto* found = s.find(hashed_name(*made(its_home, i, 0)));
                REQUIRE(found);
                REQUIRE(found->data.content == c);
            }
        }
    }
}
