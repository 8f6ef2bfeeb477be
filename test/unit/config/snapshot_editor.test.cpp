#include "support/catch.hpp"

#include "config/snapshot_data.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

using namespace dynconf;
using detail::edit;
using detail::entry;
using detail::snapshot_access;
using detail::snapshot_editor;

namespace {

entry at(int n, revision_t revision = 1) { return {value(n), {origin::etcd, revision}, false}; }

snapshot numbered(int count) {
    snapshot_editor e{snapshot()};
    for (int i = 0; i < count; ++i) e.set("name/" + std::to_string(i), at(i));
    return std::move(e).commit(1, origin::etcd, 1);
}

std::size_t shared_shards(const snapshot& a, const snapshot& b) {
    const auto& x = *snapshot_access::data(a);
    const auto& y = *snapshot_access::data(b);
    REQUIRE(x.shards.size() == y.shards.size());
    std::size_t same = 0;
    for (std::size_t i = 0; i < x.shards.size(); ++i) same += x.shards[i] == y.shards[i];
    return same;
}

}  // namespace

TEST_CASE("an edit leaves what was before alone and shares what it did not touch", "[snapshot_editor]") {
    const auto before = numbered(1000);
    snapshot_editor e(before);
    CHECK(e.set("name/5", at(-5, 2)) == edit::content);
    CHECK(e.changed());
    const auto after = std::move(e).commit(2, origin::etcd, 2);
    CHECK(*before.find("name/5") == 5);
    CHECK(*after.find("name/5") == -5);
    CHECK(after.info("name/5")->mod_revision == 2);
    CHECK(shared_shards(before, after) == 63);
    CHECK(before.find("name/6") == after.find("name/6"));
    CHECK(changed_names(before, after) == std::vector<std::string>{"name/5"});
}

TEST_CASE("the same again is no edit; a new revision alone is metadata", "[snapshot_editor]") {
    const auto before = numbered(100);
    snapshot_editor e(before);
    CHECK(e.set("name/5", at(5)) == edit::none);
    CHECK(e.difference() == edit::none);
    CHECK(e.set("name/5", at(5, 9)) == edit::metadata);
    CHECK(e.difference() == edit::metadata);
    CHECK_FALSE(e.changed());
    const auto after = std::move(e).commit(9, origin::etcd, 2);
    CHECK(after.info("name/5")->mod_revision == 9);
    CHECK(changed_names(before, after).empty());

    snapshot_editor nothing(after);
    const auto same = std::move(nothing).commit(10, origin::etcd, 3);
    CHECK(same.revision() == 10);
    CHECK(shared_shards(after, same) == 64);
}

TEST_CASE("only the net difference counts", "[snapshot_editor]") {
    const auto before = numbered(10);
    snapshot_editor e(before);
    CHECK(e.set("name/5", at(6)) == edit::content);
    CHECK(e.set("name/5", at(5)) == edit::content);
    CHECK(e.difference() == edit::none);
    CHECK(e.erase("name/5"));
    CHECK_FALSE(e.erase("name/5"));
    CHECK(e.changed());
    CHECK(e.find("name/5") == nullptr);
    CHECK(e.size() == 9);
    e.set("name/5", at(5));
    CHECK_FALSE(e.changed());
    e.set("fresh", at(1));
    CHECK(e.changed());
    CHECK(e.erase("fresh"));
    CHECK_FALSE(e.changed());
    CHECK_FALSE(e.erase("nobody"));
}

TEST_CASE("a null is an entry: it comes, and goes, as a change", "[snapshot_editor]") {
    snapshot_editor e(numbered(1));
    CHECK(e.set("unset", entry{}) == edit::content);
    CHECK(e.changed());
}

TEST_CASE("shards follow the number of names and never shrink", "[snapshot_editor]") {
    CHECK(detail::shard_count_for(0) == 64);
    CHECK(detail::shard_count_for(2'000) == 64);
    CHECK(detail::shard_count_for(2'001) == 256);
    CHECK(detail::shard_count_for(20'001) == 1024);
    const auto small = numbered(2'000);
    CHECK(snapshot_access::data(small)->shards.size() == 64);
    snapshot_editor grow(small);
    for (int i = 2'000; i < 2'001; ++i) grow.set("name/" + std::to_string(i), at(i));
    const auto large = std::move(grow).commit(2, origin::etcd, 2);
    CHECK(snapshot_access::data(large)->shards.size() == 256);
    CHECK(changed_names(small, large) == std::vector<std::string>{"name/2000"});
    CHECK(changed_names(large, small) == std::vector<std::string>{"name/2000"});
    snapshot_editor shrink(large);
    shrink.erase("name/2000");
    CHECK(snapshot_access::data(std::move(shrink).commit(3, origin::etcd, 3))->shards.size() == 256);
    snapshot_editor told{snapshot(), 50'000};
    CHECK(snapshot_access::data(std::move(told).commit(1, origin::etcd, 1))->shards.size() == 1024);
}

TEST_CASE("10 000 names: all are found, spread evenly, and one change costs one shard", "[snapshot_editor]") {
    const auto before = numbered(10'000);
    CHECK(before.size() == 10'000);
    std::size_t wrong = 0, largest = 0;
    for (int i = 0; i < 10'000; ++i) wrong += before.get<int>("name/" + std::to_string(i)).value() != i;
    CHECK(wrong == 0);
    for (const auto& s : snapshot_access::data(before)->shards) largest = std::max(largest, s ? s->size() : 0);
    CHECK(largest < 120);  // 39 on average

    snapshot_editor e(before);
    e.set("name/77", at(0));
    e.set("fresh", at(1));
    e.erase("name/9999");
    const auto after = std::move(e).commit(2, origin::etcd, 2);
    CHECK(shared_shards(before, after) >= 253);
    CHECK(changed_names(before, after) == std::vector<std::string>{"fresh", "name/77", "name/9999"});
    // what changed_names looks at: only entries of shards that differ
    std::size_t looked_at = 0;
    detail::for_each_difference(*snapshot_access::data(before), *snapshot_access::data(after),
                                [&](const auto*, const auto*) { return ++looked_at, true; });
    CHECK(looked_at == 3);
}

TEST_CASE("random edits agree with a map", "[snapshot_editor]") {
    for (const auto seed : {1u, 2u, 3u, 4u, 5u}) {
        std::mt19937 random(seed);
        const unsigned names = seed % 2 ? 200 : 3'000;
        std::map<std::string, entry> model;
        snapshot now;
        for (int generation = 0; generation < 60; ++generation) {
            const auto before_model = model;
            const auto before = now;
            snapshot_editor e(now);
            for (auto steps = random() % 80; steps > 0; --steps) {
                const auto name = "n" + std::to_string(random() % names);
                if (random() % 4 == 0) {
                    REQUIRE(e.erase(name) == (model.erase(name) == 1));
                } else {
                    entry made = at(static_cast<int>(random() % 3), static_cast<revision_t>(random() % 2));
                    const auto old = model.find(name);
                    const auto wanted = old == model.end() || !(old->second.content == made.content) ? edit::content
                                        : old->second == made                                      ? edit::none
                                                                                                   : edit::metadata;
                    REQUIRE(e.set(name, made) == wanted);
                    model[name] = made;
                }
                REQUIRE(e.size() == model.size());
            }
            std::set<std::string> content, metadata;
            for (const auto& [name, m] : model) {
                const auto old = before_model.find(name);
                if (old == before_model.end() || !(old->second.content == m.content)) content.insert(name);
                else if (!(old->second == m)) metadata.insert(name);
            }
            for (const auto& [name, m] : before_model)
                if (!model.contains(name)) content.insert(name);
            const auto most = !content.empty() ? edit::content : !metadata.empty() ? edit::metadata : edit::none;
            REQUIRE(e.difference() == most);
            now = std::move(e).commit(generation + 1, origin::etcd, static_cast<std::uint64_t>(generation) + 1);
            REQUIRE(changed_names(before, now) == std::vector<std::string>(content.begin(), content.end()));

            REQUIRE(now.size() == model.size());
            std::size_t seen = 0;
            now.for_each([&](const std::string& name, const value& v) {
                ++seen;
                REQUIRE(model.at(name).content == v);
                REQUIRE(model.at(name).from == *now.info(name));
            });
            REQUIRE(seen == model.size());
            for (const auto& [name, m] : before_model) REQUIRE(*before.find(name) == m.content);
        }
    }
}

TEST_CASE("readers keep a whole snapshot while a writer publishes", "[snapshot_editor]") {
    std::mutex guard;
    snapshot published = numbered(500);
    std::atomic<bool> done{false};
    std::atomic<std::size_t> torn{0}, reads{0};
    // The writer moves the same number to two names at once; a reader must never see two different ones.
    const auto read = [&] {
        while (!done) {
            snapshot mine;
            {
                const std::lock_guard lock(guard);
                mine = published;
            }
            const auto* a = mine.find("a");
            const auto* b = mine.find("b");
            if ((a == nullptr) != (b == nullptr) || (a && !(*a == *b))) ++torn;
            if (mine.find("name/499") == nullptr) ++torn;
            ++reads;
        }
    };
    std::thread one(read), two(read);
    for (int i = 0; i < 500 || (reads < 100 && i < 1'000'000); ++i) {
        snapshot_editor e(published);
        e.set("a", at(i));
        e.set("b", at(i));
        auto next = std::move(e).commit(i, origin::etcd, static_cast<std::uint64_t>(i));
        const std::lock_guard lock(guard);
        published = std::move(next);
    }
    done = true;
    one.join();
    two.join();
    CHECK(torn == 0);
    CHECK(reads > 0);
}
