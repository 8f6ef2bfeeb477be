// What a fake etcd can be told to answer, and what a client makes of it.

#include "simulation/fake_scene.hpp"

using namespace dynconf;
using namespace dynconf::simulation_test;

namespace {

fake_refusal refusal_of(std::string path, grpc_errc status, std::string words) {
    fake_refusal no;
    no.path = std::move(path);
    no.status = status;
    no.words = std::move(words);
    return no;
}

fake_answer answer_of(std::string path, unsigned status, std::string body, std::string type = "application/json") {
    fake_answer a;
    a.path = std::move(path);
    a.status = status;
    a.body = std::move(body);
    a.content_type = std::move(type);
    return a;
}

}  // namespace

TEST_CASE("fake etcd: answers that are none of etcd's are the errors that say so", "[fake_etcd]") {
    const std::string range = "/v3/kv/range", compacted = "etcdserver: mvcc: required revision has been compacted";
    struct { const char* what; fake_answer answer; error_code code; const char* words; } const all[] = {
        {"half JSON", answer_of(range, 200, "{\"header\":{\"revision\":\"5\"},\"kvs\":[{\"key\":"), errc::malformed_response, "kvs"},
        {"nothing", answer_of(range, 200, ""), errc::malformed_response, ""},
        {"another type", answer_of(range, 200, R"({"header":{},"kvs":7})"), errc::malformed_response, "kvs"},
        {"a page", answer_of(range, 200, "<html>sign in</html>", "text/html"), errc::malformed_response, "sign in"},
        {"a proxy's page", answer_of("/v3/", 418, "<html>no</html>", "text/html"), errc::unexpected_status, "418"},
        {"switched off", answer_of("", 404, "404 page not found\n", "text/plain"), errc::gateway_disabled, ""},
        {"the newer form", answer_of(range, 403, R"({"code":7,"message":"etcdserver: permission denied"})"),
            server_errc::permission_denied, "permission"},
        {"the older form", answer_of(range, 403, R"({"error":"etcdserver: permission denied","code":7})"),
            server_errc::permission_denied, "permission"},
        {"the form of streams", answer_of(range, 400, R"({"error":{"grpc_code":11,"http_code":400,"message":")" + compacted + "\"}}"),
            server_errc::compacted, "compacted"},
        {"an error that calls itself a success", answer_of(range, 200, R"({"code":7,"message":"etcdserver: permission denied"})"),
            server_errc::permission_denied, ""},
        {"words that nobody knows", answer_of(range, 500, R"({"code":15,"message":"etcdserver: the disk is made of cheese"})"),
            grpc_errc::data_loss, "cheese"},
    };
    for (const auto& each : all) {
        INFO(each.what);
        fake_scene s;
        s.options.max_rounds = 1;
        s.etcd.put("/k", "v");
        fake_answer scripted = each.answer;
        scripted.skip = 1;
        scripted.count = 100;
        s.etcd.answer(scripted);
        std::string first;
        error_code failed;
        std::string words;
        std::string healed;
        s.play([&](client& c) -> asio::awaitable<void> {
            kv store(c);
            std::optional<key_value> got = co_await store.get("/k");
            first = got->value;
            try {
                co_await store.get("/k");
            } catch (const exception& e) {
                failed = e.code();
                words = e.what();
            }
            s.etcd.heal();
            got = co_await store.get("/k");
            healed = got->value;
        });
        CHECK(first == "v");
        CHECK(failed == each.code);
        INFO(words);
        CHECK(words.find(each.words) != std::string::npos);
        CHECK(healed == "v");
    }
}

TEST_CASE("fake etcd: a write that was answered by a page is not known, and was not executed", "[fake_etcd]") {
    fake_scene s;
    s.etcd.answer(answer_of("/v3/kv/put", 200, "<html>sign in</html>", "text/html"));
    bool unknown = false, then = false;
    s.play([&](client& c) -> asio::awaitable<void> {
        kv store(c);
        auto done = co_await store.put("/k", "1", {}, as_outcome);
        unknown = done.unknown();
        CHECK_FALSE(s.etcd.get("/k"));
        done = co_await store.put("/k", "2", {}, as_outcome);
        then = done.executed();
    });
    CHECK(unknown);
    CHECK(then);
}

TEST_CASE("fake etcd: a watch that is answered badly is asked for again, and loses nothing", "[fake_etcd]") {
    for (const char* body : {"<html>sign in</html>", "{\"result\":{\"header\":{\"revision\":\"2\"},\"created\":true}}\n{\"result\":", ""}) {
        INFO(body);
        fake_scene s;
        fake_answer bad = answer_of("/v3/watch", 200, body);
        bad.count = 2;
        s.etcd.answer(bad);
        const revision_t ours = s.etcd.put("/a/k", "1");
        revision_t seen = 0;
        s.play([&](client& c) -> asio::awaitable<void> {
            watch_options from;
            from.start_revision = 2;
            watcher w(c, key_range::prefix("/a/"), from);
            const watch_batch batch = co_await w.next();
            seen = batch.revision;
        });
        CHECK(seen == ours);
        CHECK(s.etcd.requests("/v3/watch") == 3);
    }
}

TEST_CASE("fake etcd: what it refuses is tried again, and known or not as it was executed or not", "[fake_etcd]") {
    fake_scene s;
    bool executed = false, unknown = false;
    error_code refused;
    s.play([&](client& c) -> asio::awaitable<void> {
        kv store(c);
        fake_refusal busy = refusal_of("/v3/kv/put", grpc_errc::resource_exhausted, "etcdserver: too many requests");
        busy.skip = 1;
        busy.count = 1;
        s.etcd.refuse(busy);
        for (int i = 0; i < 2; ++i) {
            auto done = co_await store.put("/k", "1", {}, as_outcome);
            executed = done.executed();
        }
        CHECK(s.etcd.requests("/v3/kv/put") == 3);

        fake_refusal late = refusal_of("/v3/kv/put", grpc_errc::unavailable, "etcdserver: request timed out");
        late.executed = true;
        late.count = 1;
        s.etcd.refuse(late);
        auto done = co_await store.put("/k", "2", {}, as_outcome);
        unknown = done.unknown();
        CHECK(s.etcd.get("/k")->value == "2");

        s.etcd.refuse(refusal_of("/v3/", grpc_errc::permission_denied, "etcdserver: permission denied"));
        auto [ec, got] = co_await store.get("/k", {}, tupled);
        refused = ec;
        s.etcd.heal();
        std::optional<key_value> found = co_await store.get("/k");
        CHECK(found->value == "2");
    });
    CHECK(executed);
    CHECK(unknown);
    CHECK(refused == server_errc::permission_denied);
}

TEST_CASE("fake etcd: what is lost on the way there was not executed, what is lost on the way back was", "[fake_etcd]") {
    fake_scene s;
    s.options.request_timeout = 2s;
    s.options.total_timeout = 5s;
    std::vector<std::string> seen;
    s.play([&](client& c) -> asio::awaitable<void> {
        kv store(c);
        for (const bool there : {true, false}) {
            there ? s.etcd.lose_requests("/v3/kv/put") : s.etcd.lose_answers("/v3/kv/put");
            auto done = co_await store.put("/k", "1", {}, as_outcome);
            seen.push_back((done.unknown() ? "unknown" : "known") + std::string(s.etcd.get("/k") ? ", executed" : ", not executed"));
        }
        // A read is asked again.
        s.etcd.lose_requests("/v3/kv/range");
        std::optional<key_value> found = co_await store.get("/k");
        seen.push_back(found->value);
    });
    CHECK(seen == std::vector<std::string>{"unknown, not executed", "unknown, executed", "1"});
    CHECK(s.etcd.requests("/v3/kv/range") == 2);
}

TEST_CASE("fake etcd: streams that end, with words or without, go on elsewhere in time", "[fake_etcd]") {
    for (const bool words : {false, true}) {
        fake_scene s;
        std::vector<revision_t> seen, written;
        s.play([&](client& c) -> asio::awaitable<void> {
            watch_options from;
            from.start_revision = s.etcd.revision() + 1;
            watcher w(c, key_range::prefix("/a/"), from);
            for (int i = 0; i < 4; ++i) {
                written.push_back(s.etcd.put("/a/k", std::to_string(i)));
                const watch_batch batch = co_await w.next();
                for (const event& e : batch.events) seen.push_back(e.kv.mod_revision);
                if (words) s.etcd.fail_streams(grpc_errc::unavailable, "transport is closing");
                else s.etcd.end_streams();
            }
        });
        CHECK(seen == written);
        CHECK(s.etcd.requests("/v3/watch") == 4);
        CHECK((s.times_logged("transport is closing") > 0) == words);
    }
}
