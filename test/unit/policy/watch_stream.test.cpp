#include "policy/watch_stream.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::watch_cursor;
using policy::watch_stream;
using wire::watch_response;

namespace {

watch_response message(std::int64_t id, revision_t revision) {
    watch_response m;
    m.watch_id = id;
    m.header.revision = revision;
    return m;
}

watch_response created(std::int64_t id, revision_t revision = 9) {
    watch_response m = message(id, revision);
    m.created = true;
    return m;
}

watch_response refused(std::string reason) {
    watch_response m = created(-1);
    m.canceled = true;
    m.cancel_reason = std::move(reason);
    return m;
}

watch_response news(std::int64_t id, revision_t revision, std::string key, bool fragment = false) {
    watch_response m = message(id, revision);
    event& e = m.events.emplace_back();
    e.kv.key = std::move(key);
    e.kv.mod_revision = revision;
    m.fragment = fragment;
    return m;
}

}  // namespace

TEST_CASE("watch stream: messages reach their watch by its place in the body", "[watch_stream]") {
    watch_stream s({5, 0, 7});
    CHECK_FALSE(s.answered());
    for (std::int64_t id : {0, 1, 2}) {
        auto item = s.on(created(id));
        REQUIRE(item);
        CHECK(item->watch == static_cast<std::size_t>(id));
        CHECK(std::holds_alternative<watch_cursor::confirmed>(item->step));
        CHECK(s.answered() == (id == 2));
    }
    CHECK(s.next_revision(0) == 5);
    CHECK(s.next_revision(1) == 10);   // from the present
    auto item = s.on(news(2, 12, "c"));
    REQUIRE(item);
    CHECK(item->watch == 2);
    CHECK(std::get<watch_cursor::apply>(item->step).revision == 12);
    CHECK(s.next_revision(2) == 13);
    CHECK(s.next_revision(0) == 5);
}

TEST_CASE("watch stream: a refusal, which has no id, is told by its place among the answers", "[watch_stream]") {
    watch_stream s({1, 1, 1});
    s.on(created(0));
    auto item = s.on(refused("rpc error: code = PermissionDenied desc = etcdserver: permission denied"));
    REQUIRE(item);
    CHECK(item->watch == 1);
    CHECK(std::get<watch_cursor::broken>(item->step).why == server_errc::permission_denied);
    item = s.on(created(2));
    REQUIRE(item);
    CHECK(item->watch == 2);
    CHECK(s.answered());
    CHECK(s.alive() == 2);
    CHECK(s.serves(0));
    CHECK_FALSE(s.serves(1));
    CHECK(s.serves(2));
    CHECK_FALSE(s.on(news(1, 12, "b")));   // it has ended
}

TEST_CASE("watch stream: a compacted watch ends alone", "[watch_stream]") {
    watch_stream s({2, 8});
    s.on(created(0));
    s.on(created(1));
    watch_response cancel = message(0, 0);
    cancel.canceled = true;
    cancel.compact_revision = 6;
    auto item = s.on(cancel);
    REQUIRE(item);
    CHECK(item->watch == 0);
    CHECK(std::get<watch_cursor::history_lost>(item->step).compact_revision == 6);
    CHECK(s.alive() == 1);
    CHECK_FALSE(s.serves(0));
    CHECK(s.serves(1));
    item = s.on(news(1, 12, "b"));
    REQUIRE(item);
    CHECK(item->watch == 1);
}

TEST_CASE("watch stream: progress moves its own watch; an answer to a request moves none, also before the first create", "[watch_stream]") {
    watch_stream s({2, 3});
    CHECK_FALSE(s.on(message(-1, 50)));
    s.on(created(0));
    s.on(created(1));
    CHECK_FALSE(s.on(message(-1, 50)));
    CHECK(s.next_revision(0) == 2);
    CHECK(s.on(message(1, 20)));
    CHECK(s.next_revision(0) == 2);
    CHECK(s.next_revision(1) == 21);
}

TEST_CASE("watch stream: pieces of one watch are put together though another one speaks in between", "[watch_stream]") {
    watch_stream s({1, 1});
    s.on(created(0));
    s.on(created(1));
    auto item = s.on(news(0, 12, "a", true));
    REQUIRE(item);
    CHECK(std::holds_alternative<watch_cursor::nothing>(item->step));
    item = s.on(news(1, 12, "x"));
    REQUIRE(item);
    CHECK(std::get<watch_cursor::apply>(item->step).events.size() == 1);
    item = s.on(news(0, 12, "b"));
    REQUIRE(item);
    CHECK(std::get<watch_cursor::apply>(item->step).events.size() == 2);
}

TEST_CASE("watch stream: ids that nobody asked for are passed over", "[watch_stream]") {
    watch_stream s({1});
    s.on(created(0));
    CHECK_FALSE(s.on(news(7, 12, "x")));
    CHECK_FALSE(s.on(created(1)));   // one answer too many
}

TEST_CASE("watch stream: a watch is behind from its confirmation until it brings something, or is forgotten", "[watch_stream]") {
    watch_stream s({5, 0, 9, 10, 3});
    CHECK(s.behind() == 0);
    s.on(created(0));
    CHECK(s.behind() == 1);
    s.on(created(1));   // from the present
    CHECK(s.behind() == 1);
    s.on(created(2));   // the server's revision itself is still to come
    CHECK(s.behind() == 2);
    s.on(created(3));
    CHECK(s.behind() == 2);
    s.on(refused("etcdserver: mvcc: required revision has been compacted"));
    CHECK(s.behind() == 2);
    s.on(news(0, 6, "a"));
    CHECK(s.behind() == 1);
    s.on(news(0, 7, "a"));
    CHECK(s.behind() == 1);
    s.forget(2);
    s.forget(2);
    s.forget(0);
    CHECK(s.behind() == 0);
}
