// A good run for each rule of the checker, and at least one that breaks it: which has to be told as that, and as nothing
// else. Here: locks and leases.

#include "unit/testing/rules_scene.hpp"

using namespace dynconf;
using namespace dynconf::test;

TEST_CASE("rules: exclusive", "[checker]") {
    run_book b;
    b.h.foreign_writers = true;
    const auto write = [&](unsigned client, int from, std::string value, revision_t token, revision_t at) {
        txn_response yes;
        yes.succeeded = true;
        yes.responses.push_back(put_response());
        b.done(client, from, from + 5,
            op::txn(txn().if_(create_revision_of("lock/" + std::to_string(token)) == token).then(op::put("n", std::move(value)))), yes, at);
    };
    const auto hold = [&](unsigned client, revision_t token, int from, int to) {
        b.h.holdings.push_back({client, "lock", "lock/" + std::to_string(token), token, b.at(from), b.at(to)});
        // The key itself, so that the comparison can be true.
        b.done(client, from - 9, from - 5, op::put("lock/" + std::to_string(token), ""), put_response(), token);
    };
    hold(1, 2, 10, 50);
    write(1, 20, "1", 2, 4);
    SECTION("one after the other") {
        hold(2, 5, 60, 90);
        write(2, 70, "2", 5, 6);
        write(2, 80, "3", 5, 7);
        CHECK(b.verdict() == "");
    }
    SECTION("in turns") {
        hold(2, 5, 25, 90);
        write(2, 30, "2", 5, 6);
        write(1, 40, "3", 2, 7);
        const auto text = only(rule::exclusive, b);
        CHECK(has(text, "lock lock: client 2 with token 5 (from"));
        CHECK(has(text, "has written before client 1 with token 2"));
    }
    SECTION("in turns, as the calls say without the comparison") {
        b.h.operations.clear();
        for (const revision_t token : {2, 5}) b.done(9, 10 * static_cast<int>(token), 10 * static_cast<int>(token) + 1, op::put("other", std::to_string(token)), put_response(), token);
        b.h.holdings.push_back({2, "lock", "lock/5", 5, b.at(55), b.at(90)});
        for (const auto& [client, token, at] : {std::tuple{1U, 2, 3}, {1U, 2, 4}, {2U, 5, 6}, {1U, 2, 7}}) {
            b.done(client, 10 * at, 10 * at + 5, op::put("n", std::to_string(at)), put_response(), at);
            b.h.operations.back().guard = token;
        }
        CHECK(has(only(rule::exclusive, b), "client 2 with token 5"));
        b.h.operations.pop_back();
        CHECK(b.verdict() == "");
    }
    SECTION("at once, though they write in order") {
        hold(2, 5, 48, 90);
        write(2, 70, "2", 5, 6);
        CHECK(has(only(rule::exclusive, b), "lock lock: two hold it at once: client 1 with token 2"));
        CHECK(has(only(rule::exclusive, b, {.allowance = 1ms}), "and client 2 with token 5"));
        CHECK(b.verdict({.allowance = 2ms}) == "");
    }
    SECTION("from the moment on at which the other one gave it up") {
        hold(2, 5, 50, 90);
        CHECK(b.verdict() == "");
    }
    SECTION("that was never given up") {
        b.h.holdings.front().until.reset();
        hold(2, 5, 60, 90);
        CHECK(has(only(rule::exclusive, b), "two hold it at once"));
    }
    SECTION("with one token") {
        b.h.holdings.push_back({2, "lock", "lock/2", 2, b.at(60), {}});
        CHECK(has(only(rule::exclusive, b), "two holders with one token"));
    }
}

TEST_CASE("rules: lease", "[checker]") {
    run_book b;
    const auto lease = [&](lease_operation::kind what, int from, int to, std::int64_t ttl) {
        b.h.leases.push_back({1, what, 7, b.at(from), b.at(to), write_state::executed, ttl});
    };
    lease(lease_operation::kind::grant, 0, 10, 5);
    b.done(1, 20, 30, op::put("a", "x", {.lease = 7}), put_response(), 2);
    lease(lease_operation::kind::keep_alive, 2'000, 2'010, 5);
    SECTION("gone after its time") {
        b.get(1, 7'000, 7'010, "a", {}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("gone before") {
        b.get(1, 6'900, 6'910, "a", {}, 3);
        CHECK(has(only(rule::lease, b), "lease 7: delete a at revision 3, known at 6.910 s, though at 2.000 s it was given 5 s"));
    }
    SECTION("revoked") {
        lease(lease_operation::kind::revoke, 3'000, 3'010, 0);
        b.get(1, 3'020, 3'030, "a", {}, 3);
        CHECK(b.verdict() == "");
    }
    SECTION("gone before, and revoked afterwards") {
        b.get(1, 6'900, 6'910, "a", {}, 3);
        lease(lease_operation::kind::revoke, 6'911, 6'920, 0);
        CHECK(has(only(rule::lease, b), "lease 7: delete a at revision 3, known at 6.910 s, though at 2.000 s it was given 5 s"));
    }
    SECTION("revoked, and its key lives on") {
        lease(lease_operation::kind::revoke, 3'000, 3'010, 0);
        b.get(1, 3'020, 3'030, "a", {b.kv("a", "x", 2, 1, 2, 7)}, 2);
        CHECK(has(only(rule::lease, b), "was revoked at 3.010 s, and a=x (mod 2, version 1) is still there at revision 2"));
    }
}
