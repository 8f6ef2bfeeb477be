#include "policy/replica.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <random>

using namespace dynconf;
using policy::replica;

namespace {

constexpr std::uint64_t cluster = 0xf000'0000'0000'0001;   // past the range of int64

key_value pair(std::string key, revision_t mod, std::string value = "v") {
    key_value kv;
    kv.key = std::move(key);
    kv.value = std::move(value);
    kv.create_revision = 1;
    kv.mod_revision = mod;
    kv.version = 1;
    return kv;
}

event put(key_value kv) { return {event::kind::put, std::move(kv), {}}; }
event erase(std::string key, revision_t mod) {
    event e;
    e.type = event::kind::erase;
    e.kv.key = std::move(key);
    e.kv.mod_revision = mod;
    return e;
}

using content = std::vector<key_value>;
using events = std::vector<event>;

}  // namespace

TEST_CASE("replica: a reload yields new, changed and gone keys in key order, and nothing else", "[policy]") {
    replica r;
    r.load({pair("a", 1), pair("b", 2), pair("c", 3), pair("d", 4)}, 4, cluster);
    CHECK(r.size() == 4);
    CHECK(r.revision() == 4);
    CHECK(r.cluster_id() == cluster);
    const events changes = r.reload({pair("a", 1), pair("b", 7, "new"), pair("aa", 9), pair("d", 4)}, 9, cluster);
    CHECK(changes == events{put(pair("aa", 9)), put(pair("b", 7, "new")), erase("c", 9)});
    CHECK(r.size() == 4);
    CHECK(r.revision() == 9);
    CHECK(r.reload({pair("a", 1), pair("aa", 9), pair("b", 7), pair("d", 4)}, 12, cluster).empty());
}

TEST_CASE("replica: events move it as the server moved", "[policy]") {
    replica r;
    r.load({pair("a", 1), pair("b", 2)}, 2, cluster);
    r.apply({put(pair("c", 3)), erase("a", 4), put(pair("b", 5)), erase("nobody", 5)}, 5);
    CHECK(r.revision() == 5);
    CHECK(r.reload({pair("b", 5), pair("c", 3)}, 6, cluster).empty());
    CHECK(r.reload({}, 7, cluster) == events{erase("b", 7), erase("c", 7)});
    CHECK(r.size() == 0);
}

TEST_CASE("replica: where revisions cannot be compared, every key counts as changed", "[policy]") {
    const content same{pair("a", 1), pair("b", 2)};
    replica went_back;
    went_back.load({pair("a", 1), pair("b", 2), pair("c", 3)}, 9, cluster);
    CHECK(went_back.reload(same, 8, cluster) == events{put(same[0]), put(same[1]), erase("c", 8)});
    CHECK(went_back.revision() == 8);

    replica other;
    other.load({pair("a", 1), pair("b", 2), pair("c", 3)}, 9, cluster);
    CHECK(other.reload(same, 20, cluster + 1) == events{put(same[0]), put(same[1]), erase("c", 20)});
    CHECK(other.cluster_id() == cluster + 1);
    CHECK(other.reload(same, 20, cluster + 1).empty());
}

TEST_CASE("replica: any mixture of events and reloads leads to the same content as a plain map", "[policy]") {
    std::mt19937 random(20240607);
    const auto below = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    for (int round = 0; round < 200; ++round) {
        std::map<std::string, key_value> server, followed;
        replica r;
        r.load({}, 0, cluster);
        revision_t revision = 0;
        const auto follow = [&followed](const events& changes) {
            for (const event& e : changes) {
                if (e.type == event::kind::erase) {
                    REQUIRE(followed.erase(e.kv.key) == 1);   // nothing is said to be gone that was not there
                } else {
                    const auto old = followed.find(e.kv.key);
                    REQUIRE((old == followed.end() || !(old->second == e.kv)));   // nor changed that is the same
                    followed[e.kv.key] = e.kv;
                }
            }
        };
        for (int step = 0; step < 20; ++step) {
            events happened;
            for (int i = below(6); i > 0; --i) {
                const std::string key(1, static_cast<char>('a' + below(12)));
                ++revision;
                if (below(3) == 0) {
                    if (server.erase(key) != 0) happened.push_back(erase(key, revision));
                } else {
                    server[key] = pair(key, revision, std::to_string(below(4)));
                    happened.push_back(put(server[key]));
                }
            }
            if (below(2) == 0) {
                follow(happened);
                r.apply(happened, revision);
            } else {   // missed: the next reload has to bring it
                content whole;
                for (const auto& [key, kv] : server) whole.push_back(kv);
                std::shuffle(whole.begin(), whole.end(), random);
                follow(r.reload(std::move(whole), revision, cluster));
            }
            REQUIRE(followed == server);
            REQUIRE(r.size() == server.size());
            REQUIRE(r.revision() == revision);
        }
    }
}

TEST_CASE("replica: tells at which keys a whole list differs, whichever side has them", "[policy]") {
    replica r;
    r.load({pair("a", 1), pair("b", 2), pair("c", 3)}, 5, cluster);
    CHECK(r.differences({pair("c", 3, ""), pair("b", 2, ""), pair("a", 1, "")}).empty());
    CHECK(r.differences({pair("a", 1), pair("b", 4), pair("d", 5)}) == std::vector<std::string>{"b", "c", "d"});
    CHECK(r.differences({}) == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("replica: what it knows to be unchanged is apart from what was applied", "[policy]") {
    replica r;
    r.load({pair("a", 1)}, 5, cluster);
    r.unchanged_until(9);
    CHECK(r.known() == 9);
    CHECK(r.revision() == 5);
    r.apply({put(pair("a", 7))}, 7);   // was on its way
    CHECK(r.known() == 9);
    CHECK(r.revision() == 7);
    r.reload({pair("a", 2)}, 3, cluster + 1);   // another store
    CHECK(r.known() == 3);
}

TEST_CASE("replica: a reload brings a key that was in doubt, whatever its revision", "[policy]") {
    replica r;
    r.load({pair("a", 1), pair("b", 2)}, 5, cluster);
    r.doubt("b");
    r.doubt("none");
    const auto changes = r.reload({pair("a", 1), pair("b", 2)}, 5, cluster);
    REQUIRE(changes.size() == 1);
    CHECK(changes[0].kv.key == "b");
    CHECK(r.reload({pair("a", 1), pair("b", 2)}, 5, cluster).empty());
}
