#include "policy/key_past.hpp"

#include "support/catch.hpp"

#include <map>
#include <random>
#include <string>

using namespace dynconf;
using policy::key_past;

namespace {

constexpr std::size_t all = 0, any = 1'000'000;

/// The past of one key, as etcd would answer for it.
class store {
public:
    revision_t newest = 1;
    revision_t compacted = 0;
    std::size_t most_ops = key_past::most_at_once;
    int requests = 0;

    void put(revision_t at) {
        const key_value* before = state_at(at);
        key_value now;
        now.create_revision = before ? before->create_revision : at;
        now.version = before ? before->version + 1 : 1;
        now.mod_revision = newest = at;
        history_[at] = now;
    }
    void erase(revision_t at) {
        newest = at;
        history_[at].reset();
    }

    /// "p5" for a put, "d7" for a deletion; at the end "..." where it is not complete.
    std::string ask(std::size_t limit = all, std::size_t most_absent = any) {
        key_past past(limit, most_absent);
        for (requests = 0; const auto q = past.next(); ++requests) {
            REQUIRE(requests < 10'000);
            const revision_t first = q->newest == 0 ? newest : q->newest;
            const revision_t last = q->count == 0 ? first : first - static_cast<revision_t>(q->count) + 1;
            REQUIRE(last >= 1);
            if (q->count > most_ops) REQUIRE(past.failed(server_errc::too_many_ops));
            else if (last < compacted) REQUIRE(past.failed(server_errc::compacted));
            else if (q->count == 0) past.read(first, copy_of(state_at(first)));
            else past.looked(there(first, last));
        }
        std::string text;
        for (const key_value& kv : past.take()) text += (kv.version == 0 ? "d" : "p") + std::to_string(kv.mod_revision) + " ";
        return text + (past.complete() ? "." : "...");
    }

    /// What there is to find: all back to the compaction, and what the key was then.
    std::string truth() const {
        std::string text;
        bool complete = compacted <= 2;
        for (auto h = history_.rbegin(); h != history_.rend(); ++h) {
            if (h->first <= compacted && !h->second) break;   // it shows only beside what was there before it
            text += (h->second ? "p" : "d") + std::to_string(h->first) + " ";
            if (h->first > compacted) continue;
            complete = complete || (h->first <= 3 && h->second->version == 1);   // no room for anything before it
            break;
        }
        return text + (complete ? "." : "...");
    }

private:
    const key_value* state_at(revision_t at) const {
        const auto next = history_.upper_bound(at);
        return next == history_.begin() || !std::prev(next)->second ? nullptr : &*std::prev(next)->second;
    }
    static std::optional<key_value> copy_of(const key_value* kv) { return kv ? std::optional<key_value>(*kv) : std::nullopt; }
    std::optional<std::size_t> there(revision_t first, revision_t last) const {
        for (revision_t at = first; at >= last; --at)
            if (state_at(at)) return static_cast<std::size_t>(first - at);
        return std::nullopt;
    }

    std::map<revision_t, std::optional<key_value>> history_;
};

}  // namespace

TEST_CASE("key past: versions and deletions, through several lives", "[policy][key_past]") {
    store s;
    CHECK(s.ask() == ".");
    CHECK(s.requests == 1);
    s.put(2);
    CHECK(s.ask() == "p2 .");
    CHECK(s.requests == 1);
    s.put(5);
    s.erase(9);
    CHECK(s.ask() == "d9 p5 p2 .");
    s.put(10);
    s.put(300);
    CHECK(s.ask() == "p300 p10 d9 p5 p2 .");
    CHECK(s.requests == 5);
    s.erase(1000);
    s.newest = 2000;
    CHECK(s.ask() == "d1000 p300 p10 d9 p5 p2 .");
    CHECK(s.requests == 1 + 8 + 5);   // the 1000 revisions after its end cost 8 requests

    CHECK(s.ask(1) == "d1000 ...");
    CHECK(s.ask(3) == "d1000 p300 p10 ...");
    CHECK(s.ask(6) == "d1000 p300 p10 d9 p5 p2 ...");   // nobody asked whether there is more
    CHECK(s.ask(7) == "d1000 p300 p10 d9 p5 p2 .");
}

TEST_CASE("key past: only so many revisions without the key are looked at", "[policy][key_past]") {
    store s;
    s.put(10);
    s.erase(20);
    s.newest = 1020;
    CHECK(s.ask(all, 1000) == "...");
    CHECK(s.ask(all, 1001) == "d20 p10 ...");
    CHECK(s.ask(all, 1009) == "d20 p10 .");
    CHECK(s.ask(all, 0) == "...");
    CHECK(s.requests == 1);
    store never;
    never.newest = 5;
    CHECK(never.ask(all, 2) == "...");
    CHECK(never.ask(all, 3) == ".");
}

TEST_CASE("key past: a compaction ends it, and it says so", "[policy][key_past]") {
    store s;
    s.put(10);
    s.put(12);
    s.erase(20);
    s.put(400);
    const auto [compacted, found] = GENERATE(table<revision_t, std::string>({
        {400, "p400 ..."}, {399, "p400 ..."}, {150, "p400 ..."}, {20, "p400 ..."},
        {19, "p400 d20 p12 ..."}, {12, "p400 d20 p12 ..."}, {11, "p400 d20 p12 p10 ..."}, {10, "p400 d20 p12 p10 ..."},
    }));
    s.compacted = compacted;
    CHECK(s.ask() == found);
    CHECK(s.requests < 25);
}

TEST_CASE("key past: a server that allows fewer operations gets as many as it allows", "[policy][key_past]") {
    store s;
    s.put(2);
    s.erase(3);
    s.newest = 400;
    s.most_ops = 10;
    CHECK(s.ask() == "d3 p2 .");
    CHECK(s.requests == 1 + 4 + 50 + 1);   // 128, 64, 32, 16 are refused
}

TEST_CASE("key past: other failures are the caller's", "[policy][key_past]") {
    key_past past(all, any);
    CHECK_FALSE(past.failed(server_errc::permission_denied));
    CHECK_FALSE(past.failed(server_errc::compacted));   // of the present: nonsense
    past.read(100, std::nullopt);
    CHECK_FALSE(past.failed(errc::deadline_exceeded));
}

TEST_CASE("key past: whatever happened, what is told is true", "[policy][key_past]") {
    std::mt19937 random(20);
    const auto below = [&](int n) { return static_cast<revision_t>(random() % static_cast<unsigned>(n)); };
    for (int round = 0; round < 2000; ++round) {
        store s;
        bool there = false;
        for (revision_t at = 2 + below(round % 2 == 0 ? 3 : 300); at < 900; at += 1 + below(200)) {
            there = !there || below(3) != 0;
            if (there) s.put(at);
            else s.erase(at);
        }
        s.newest += below(300);
        s.compacted = below(2) == 0 ? 0 : 2 + below(static_cast<int>(s.newest) - 1);
        INFO("compacted at " << s.compacted << ", newest " << s.newest);
        CHECK(s.ask() == s.truth());
    }
}

TEST_CASE("key past: an older version that is gone when it is read was compacted", "[policy][key_past]") {
    policy::key_past past(0, 100);
    key_value now;
    now.key = "k";
    now.create_revision = 5;
    now.mod_revision = 10;
    past.read(20, now);
    REQUIRE(past.next());
    CHECK(past.next()->newest == 9);
    past.read(20, std::nullopt);
    CHECK_FALSE(past.next());
    CHECK_FALSE(past.complete());
    CHECK(past.take().size() == 1);
}
