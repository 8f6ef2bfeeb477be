#include "policy/watch_cursor.hpp"

#include "support/catch.hpp"

#include <random>

using namespace dynconf;
using policy::watch_cursor;
using wire::watch_response;

namespace {

event change(revision_t revision, std::string key) {
    event e;
    e.kv.key = std::move(key);
    e.kv.mod_revision = revision;
    return e;
}

watch_response news(std::vector<event> events, bool fragment = false) {
    watch_response m;
    m.header.revision = events.empty() ? 0 : events.back().kv.mod_revision;
    m.events = std::move(events);
    m.fragment = fragment;
    return m;
}

watch_response created(revision_t revision) {
    watch_response m;
    m.header.revision = revision;
    m.created = true;
    return m;
}

watch_response progress(revision_t revision, std::int64_t id = 0) {
    watch_response m;
    m.header.revision = revision;
    m.watch_id = id;
    return m;
}

watch_response canceled(std::string reason, bool also_created = true) {
    watch_response m;
    m.watch_id = -1;
    m.created = also_created;
    m.canceled = true;
    m.cancel_reason = std::move(reason);
    return m;
}

template <class T>
T is(watch_cursor::step step) {
    INFO("step " << step.index());
    REQUIRE(std::holds_alternative<T>(step));
    return std::get<T>(std::move(step));
}

std::string keys(const watch_cursor::apply& a) {
    std::string all;
    for (const event& e : a.events) all += e.kv.key + std::to_string(e.kv.mod_revision) + " ";
    return all;
}

}  // namespace

TEST_CASE("cursor: without a start, the watch begins after the revision of its confirmation", "[policy]") {
    watch_cursor c(0);
    CHECK(c.next_revision() == 0);
    const auto up = is<watch_cursor::confirmed>(c.on(created(41)));
    CHECK(up.header.revision == 41);
    CHECK(c.next_revision() == 42);
    c = watch_cursor(c.next_revision());   // another stream
    is<watch_cursor::confirmed>(c.on(created(50)));
    CHECK(c.next_revision() == 42);   // the gap is still owed

    watch_cursor from(7);
    is<watch_cursor::confirmed>(from.on(created(41)));
    CHECK(from.next_revision() == 7);
}

TEST_CASE("cursor: whole revisions come out, and the resume point is behind the last", "[policy]") {
    watch_cursor c(5);
    is<watch_cursor::confirmed>(c.on(created(4)));
    const auto one = is<watch_cursor::apply>(c.on(news({change(5, "a")})));
    CHECK(one.revision == 5);
    CHECK(c.next_revision() == 6);
    const auto more = is<watch_cursor::apply>(c.on(news({change(6, "a"), change(6, "b"), change(9, "c")})));
    CHECK(more.revision == 9);
    CHECK(keys(more) == "a6 b6 c9 ");
    CHECK(c.next_revision() == 10);
}

TEST_CASE("cursor: what was applied before is dropped, also from the middle of a message", "[policy]") {
    watch_cursor c(5);
    is<watch_cursor::apply>(c.on(news({change(5, "a"), change(6, "b")})));
    is<watch_cursor::nothing>(c.on(news({change(5, "a"), change(6, "b")})));
    CHECK(c.next_revision() == 7);
    const auto rest = is<watch_cursor::apply>(c.on(news({change(4, "x"), change(6, "b"), change(7, "c"), change(7, "d")})));
    CHECK(keys(rest) == "c7 d7 ");
    CHECK(c.next_revision() == 8);
    is<watch_cursor::nothing>(c.on(news({change(3, "x")}, true)));
    CHECK(c.next_revision() == 8);
}

TEST_CASE("cursor: fragments are joined, and a revision that is cut is held back until it is whole", "[policy]") {
    watch_cursor c(1);
    const auto first = is<watch_cursor::apply>(c.on(news({change(1, "a"), change(2, "b"), change(3, "c")}, true)));
    CHECK(first.revision == 2);
    CHECK(keys(first) == "a1 b2 ");
    CHECK(c.next_revision() == 3);
    is<watch_cursor::nothing>(c.on(news({change(3, "d")}, true)));
    CHECK(c.next_revision() == 3);
    const auto last = is<watch_cursor::apply>(c.on(news({change(3, "e"), change(4, "f")})));
    CHECK(keys(last) == "c3 d3 e3 f4 ");
    CHECK(c.next_revision() == 5);
}

TEST_CASE("cursor: every cut of a message into two or three fragments gives the same", "[policy]") {
    std::vector<event> all;
    for (revision_t r = 1; r <= 4; ++r)
        for (char k = 'a'; k < 'a' + r; ++k) all.push_back(change(r, std::string(1, k)));
    const auto piece = [&all](std::size_t from, std::size_t to) {
        return std::vector<event>(all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to));
    };
    for (std::size_t first = 0; first <= all.size(); ++first) {
        for (std::size_t second = first; second <= all.size(); ++second) {
            INFO("cut at " << first << " and " << second);
            watch_cursor c(1);
            std::vector<event> out;
            const watch_response pieces[] = {news(piece(0, first), true), news(piece(first, second), true), news(piece(second, all.size()))};
            for (const watch_response& m : pieces) {
                auto step = c.on(m);
                if (auto* a = std::get_if<watch_cursor::apply>(&step)) {
                    out.insert(out.end(), a->events.begin(), a->events.end());
                    CHECK(c.next_revision() == a->revision + 1);
                    CHECK(a->revision == a->events.back().kv.mod_revision);
                }
            }
            REQUIRE(out == all);
            CHECK(c.next_revision() == 5);
        }
    }
}

TEST_CASE("cursor: a stream that breaks inside a revision leaves nothing of it behind", "[policy]") {
    watch_cursor c(1);
    is<watch_cursor::apply>(c.on(news({change(1, "a"), change(2, "b")}, true)));
    c = watch_cursor(c.next_revision());   // another stream
    CHECK(c.next_revision() == 2);
    is<watch_cursor::confirmed>(c.on(created(9)));
    const auto again = is<watch_cursor::apply>(c.on(news({change(2, "b"), change(2, "c")})));
    CHECK(keys(again) == "b2 c2 ");
}

TEST_CASE("cursor: progress of this watch moves the resume point, an answer with id -1 does not", "[policy]") {
    watch_cursor c(5);
    CHECK(is<watch_cursor::alive>(c.on(progress(9))).revision == 9);
    CHECK(c.next_revision() == 10);
    CHECK(is<watch_cursor::alive>(c.on(progress(20, -1))).revision == 20);
    CHECK(c.next_revision() == 10);
    is<watch_cursor::alive>(c.on(progress(3)));
    CHECK(c.next_revision() == 10);   // never back
    is<watch_cursor::nothing>(c.on(news({change(9, "a")})));
}

TEST_CASE("cursor: a progress answer between fragments does not end the open revision", "[policy]") {
    watch_cursor c(1);
    is<watch_cursor::nothing>(c.on(news({change(1, "a")}, true)));
    is<watch_cursor::alive>(c.on(progress(30, -1)));
    CHECK(c.next_revision() == 1);
    CHECK(keys(is<watch_cursor::apply>(c.on(news({change(1, "b")})))) == "a1 b1 ");
}

TEST_CASE("cursor: a cancel outranks the confirmation that comes with it", "[policy]") {
    struct { const char* reason; error_code code; } const cancels[] = {
        {"rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", server_errc::invalid_auth_token},
        {"rpc error: code = InvalidArgument desc = etcdserver: user name is empty", server_errc::user_empty},
        {"rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old", server_errc::auth_old_revision},
        {"rpc error: code = PermissionDenied desc = etcdserver: permission denied", server_errc::permission_denied},
        {"etcdserver: permission denied", server_errc::permission_denied},
        {"rpc error: code = Unavailable desc = etcdserver: no leader", server_errc::no_leader},
        {"rpc error: code = Unavailable desc = something new", grpc_errc::unavailable},
        {"mvcc: duplicate watch ID provided on the WatchStream", errc::watch_ended},
        {"", errc::watch_ended},
    };
    for (const auto& row : cancels) {
        INFO(row.reason);
        for (const bool also_created : {true, false}) {
            watch_cursor c(0);
            CHECK(is<watch_cursor::broken>(c.on(canceled(row.reason, also_created))).why.code == row.code);
            CHECK(c.next_revision() == 0);
        }
    }
}

TEST_CASE("cursor: compaction is lost history, whether it says so by number or by words", "[policy]") {
    watch_cursor c(5);
    watch_response m = canceled("", false);
    m.compact_revision = 15;
    CHECK(is<watch_cursor::history_lost>(c.on(m)).compact_revision == 15);
    CHECK(c.next_revision() == 5);
    is<watch_cursor::history_lost>(c.on(canceled("etcdserver: mvcc: required revision has been compacted")));
}

TEST_CASE("cursor: revisions that go back within a watch are refused", "[policy]") {
    watch_cursor c(1);
    CHECK(is<watch_cursor::broken>(c.on(news({change(3, "a"), change(2, "b")}))).why.code == errc::malformed_response);
    CHECK(c.next_revision() == 1);
    c = watch_cursor(c.next_revision());   // another stream
    is<watch_cursor::nothing>(c.on(news({change(3, "a")}, true)));
    is<watch_cursor::broken>(c.on(news({change(2, "b")})));
    CHECK(c.next_revision() == 1);
}

TEST_CASE("cursor: random revisions in random messages, fragments and reconnects come out once each, whole, in order", "[policy]") {
    std::mt19937 random(991);
    const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
    for (int round = 0; round < 500; ++round) {
        std::vector<event> history;
        revision_t newest = 1;
        for (std::size_t n = 1 + below(20); n > 0; --n) {
            newest += 1 + static_cast<revision_t>(below(3));   // some revisions concern other keys
            for (std::size_t k = 1 + below(4); k > 0; --k) history.push_back(change(newest, std::to_string(k)));
        }
        watch_cursor c(2);
        std::vector<event> out;
        for (int streams = 0; out.size() < history.size(); ++streams) {
            REQUIRE(streams < 1000);
            c = watch_cursor(c.next_revision());   // another stream
            is<watch_cursor::confirmed>(c.on(created(newest)));
            // From the resume point on, sometimes from before it: old servers did that.
            const revision_t from = c.next_revision() - static_cast<revision_t>(below(4) == 0 ? below(3) : 0);
            std::size_t at = 0;
            while (at < history.size() && history[at].kv.mod_revision < from) ++at;
            bool cut = false;
            while (at < history.size() && !cut) {
                // A message: some whole revisions; cut into fragments anywhere.
                std::size_t end = at + 1 + below(history.size() - at);
                while (end < history.size() && history[end].kv.mod_revision == history[end - 1].kv.mod_revision) ++end;
                while (at < end && !cut) {
                    const std::size_t piece = below(2) == 0 ? end - at : 1 + below(end - at);
                    const auto begin = history.begin() + static_cast<std::ptrdiff_t>(at);
                    at += piece;
                    auto step = c.on(news({begin, begin + static_cast<std::ptrdiff_t>(piece)}, at < end));
                    REQUIRE_FALSE(std::holds_alternative<watch_cursor::broken>(step));
                    if (auto* a = std::get_if<watch_cursor::apply>(&step)) {
                        out.insert(out.end(), a->events.begin(), a->events.end());
                        REQUIRE(c.next_revision() == a->revision + 1);
                        const bool whole = out.size() == history.size() || history[out.size()].kv.mod_revision > a->revision;
                        REQUIRE(whole);
                    }
                    cut = below(6) == 0;
                }
                if (below(5) == 0) is<watch_cursor::alive>(c.on(progress(newest + 100, -1)));
            }
        }
        REQUIRE(out == history);
    }
}
