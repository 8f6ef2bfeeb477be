#include "support/catch.hpp"
#include "unit/testing/member_scene.hpp"

#include "wire/classify.hpp"

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("faults: each refusal that etcd has can be had, and is what the client takes it for") {
    for (const char* version : {"3.4.23", "3.5.33", "3.6.14"})
        for (int i = static_cast<int>(server_errc::empty_key); i <= static_cast<int>(server_errc::client_certificate_name); ++i) {
            const auto code = static_cast<server_errc>(i);
            INFO(version << ' ' << make_error_code(code).message());
            gateway_options options;
            options.server_version = version;
            gateway g(options);
            g.faults().add({.what = fault::refuse{refusal(code)}, .path = "/v3/kv/put"});
            const reply r = answer_of(g, put_of("a", "1"));
            CHECK(r.status >= 400);
            const json body = json::parse(r.body);
            const auto seen = wire::classify({body["code"].get<int>(), body["message"].get<std::string>()});
            CHECK(seen.code == make_error_code(code));
            CHECK(g.cluster().store().revision() == 1);
        }
}

TEST_CASE("faults: done or not, answered or not") {
    gateway g;
    const auto revision = [&] { return g.cluster().store().revision(); };
    const auto once = [&](fault::action what) { g.faults().add({.what = std::move(what), .path = "/v3/kv/put", .count = 1}); };

    once(fault::refuse{refusal(server_errc::too_many_requests)});
    CHECK(answer_of(g, put_of("a", "1")).status == 429);
    CHECK(revision() == 1);

    once(fault::refuse_after_commit{refusal(server_errc::timeout)});
    CHECK(answer_of(g, put_of("a", "1")).status == 503);
    CHECK(revision() == 2);

    once(fault::lose_request{});
    CHECK(answer_of(g, put_of("a", "1")).lost);
    CHECK(revision() == 2);

    once(fault::lose_answer{});
    CHECK(answer_of(g, put_of("a", "1")).lost);
    CHECK(revision() == 3);

    once(fault::slow{300ms});
    const reply late = answer_of(g, put_of("a", "1"));
    CHECK(late.status == 200);
    CHECK(late.delay == 300ms);
    CHECK(revision() == 4);

    once(fault::slow{300ms});
    request hasty = put_of("a", "1");
    hasty.timeout = 100ms;
    const reply expired = answer_of(g, hasty);
    CHECK(expired.status == 504);
    CHECK(expired.delay == 100ms);
    CHECK(revision() == 5);

    once(fault::gateway_switched_off());
    CHECK(answer_of(g, put_of("a", "1")).body == "404 page not found\n");
    CHECK(answer_of(g, put_of("a", "1")).status == 200);
    CHECK(g.faults().struck() == 7);
}

TEST_CASE("faults: a rule is of a path, skips, ends, and strikes by chance") {
    double drawn = 0.5;
    faults f([&] { return drawn; });
    f.add({.what = fault::lose_answer{}, .path = "/v3/kv/", .skip = 1, .count = 2});
    CHECK_FALSE(f.on_request("/v3/watch"));
    CHECK_FALSE(f.on_request("/v3/kv/put"));
    CHECK_FALSE(f.on_events("/v3/kv/put"));
    CHECK(f.on_request("/v3/kv/range"));
    CHECK(f.on_request("/v3/kv/put"));
    CHECK_FALSE(f.on_request("/v3/kv/put"));
    f.add({.what = fault::lose_answer{}, .path = {}, .probability = 0.4});
    CHECK_FALSE(f.on_request("/v3/kv/put"));
    drawn = 0.3;
    CHECK(f.on_request("/version"));
    f.clear();
    CHECK_FALSE(f.on_request("/v3/kv/put"));
    CHECK(f.struck() == 3);
}

TEST_CASE("faults: events are dropped, doubled, and cut off") {
    gateway g;
    const auto watch = watch_of(g, "a");
    const auto once = [&](fault::action what) { g.faults().add({.what = std::move(what), .path = "/v3/watch", .count = 1}); };
    for (const char* value : {"2", "3", "4"}) {
        if (*value == '3') once(fault::drop_events{});
        if (*value == '4') once(fault::double_events{});
        answer_of(g, put_of("a", value));
    }
    CHECK(told(*watch) == revisions{2, 4, 4});
    once(fault::end_stream{refusal(grpc_errc::unavailable, "transport is closing")});
    answer_of(g, put_of("a", "5"));
    CHECK_FALSE(watch->ended());
    const auto last = watch->take({});
    REQUIRE(last.size() == 1);
    CHECK(json::parse(last[0])["error"]["code"] == 14);
    CHECK(watch->ended());
    const auto silent = watch_of(g, "a");
    told(*silent);
    once(fault::end_stream{});
    answer_of(g, put_of("a", "6"));
    CHECK(silent->ended());
}

TEST_CASE("faults: a stream whose answer is slow or lost") {
    gateway g;
    int changes = 0;
    g.on_change = [&] { ++changes; };
    answer_of(g, ask("/v3/lease/grant", {{"ID", 5}, {"TTL", 60}}));
    const request renew = ask("/v3/lease/keepalive", {{"ID", 5}});
    g.faults().add({.what = fault::slow{2s}, .path = "/v3/lease/keepalive", .count = 1});
    auto answer = g.handle(renew, {});
    stream& s = *std::get<std::unique_ptr<stream>>(answer);
    CHECK(s.take({}).empty());
    CHECK_FALSE(s.ended());
    CHECK(g.next_due() == time_point() + 2s);
    g.advance(time_point() + 2s);
    CHECK(changes == 1);
    CHECK(s.take(time_point() + 2s).size() == 1);
    CHECK(s.ended());
    g.faults().add({.what = fault::lose_answer{}, .path = "/v3/lease/keepalive", .count = 1});
    CHECK(answer_of(g, renew, time_point() + 2s).lost);
}
