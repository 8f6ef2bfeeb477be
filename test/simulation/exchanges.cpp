#include "simulation/exchange_run.hpp"

#include <dynconf/bulk.hpp>
#include <dynconf/cluster.hpp>
#include <dynconf/conditional.hpp>
#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/lease.hpp>
#include <dynconf/lock.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/watch.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <map>

namespace dynconf::simulation_test {

namespace {

using run = exchange_run;
using nothing = asio::awaitable<void>;

const error_code cancelled = asio::error::operation_aborted;

/// A call that only asks: in time it gets through, whatever went wrong once.
void expect_answer(run& r, const error_code& ec) {
    if (ec) r.expect(r.cancelled() && ec == cancelled, "it failed: " + ec.message());
}

// --- KV

nothing range(run& r) {
    for (int i = 0; i < 3; ++i) r.put("/k" + std::to_string(i), "v" + std::to_string(i));
    kv store(r.etcd());
    const key_range keys = key_range::prefix("/k");
    const range_options how;
    auto token = r.as_read();
    auto [ec, answer] = co_await store.range(keys, how, token);
    expect_answer(r, ec);
    if (ec) co_return;
    r.expect(answer.kvs.size() == 3 && answer.kvs[2].value == "v2" && answer.header.revision == 4, "the answer is another one");
}

nothing put(run& r) {
    kv store(r.etcd());
    const put_options how;
    auto token = r.as_write();
    auto done = co_await store.put("/k", "v", how, token);
    r.expect_truth(done.state(), [&r] { return r.value("/k") == "v"; }, "the put");
    r.at_the_end([&r, before = r.revision()] { r.expect(r.revision() <= std::max<revision_t>(before, 2), "it was put twice"); });
}

nothing erase(run& r) {
    r.put("/k", "v");
    kv store(r.etcd());
    const key_range keys = key_range::key("/k");
    const delete_options how;
    auto token = r.as_write();
    auto done = co_await store.delete_range(keys, how, token);
    r.expect_truth(done.state(), [&r] { return r.value("/k").empty(); }, "the deletion");
    if (done.executed()) r.expect(done.value().deleted == 1, "it has deleted nothing");
}

nothing commit(run& r) {
    kv store(r.etcd());
    const txn what = txn().if_(version_of("/k") == 0).then(op::put("/k", "v")).then(op::put("/l", "v")).else_(op::range(key_range::key("/k")));
    auto token = r.as_write();
    auto done = co_await store.commit(what, token);
    r.expect_truth(done.state(), [&r] { return r.value("/k") == "v" && r.value("/l") == "v"; }, "the transaction");
    if (done.executed()) r.expect(done.value().succeeded, "it is told not to have succeeded");
}

nothing create(run& r) {
    conditional writes(r.etcd());
    const put_options how;
    auto token = r.as_write();
    auto done = co_await writes.create_if_absent("/k", "v", how, token);
    r.expect_truth(done.state(), [&r] { return r.value("/k") == "v"; }, "the creation");
    if (done.executed()) r.expect(done.value().succeeded, "it finds a key that was not there");
}

nothing work_in_bulk(run& r) {
    bulk_options how;
    how.split = true;
    how.max_ops = 2;
    bulk store(r.etcd(), how);
    std::vector<op> ops;
    for (int i = 0; i < 4; ++i) ops.push_back(op::put("/k" + std::to_string(i), "v"));
    const bulk_progress none;
    auto token = r.as_read();
    auto [ec, answer] = co_await store.execute(ops, none, token);
    r.expect(!ec || (r.cancelled() && ec == cancelled), "it failed as a whole: " + ec.message());
    if (ec) co_return;
    for (const bulk_part& part : answer.parts)
        for (std::size_t i = part.first; i < part.first + part.count; ++i)
            r.expect_truth(part.state, [&r, i] { return r.value("/k" + std::to_string(i)) == "v"; }, "operation " + std::to_string(i));
    r.expect(!r.untroubled() || answer.complete(), "it is not complete");
}

// --- leases and locks

nothing grant(run& r) {
    leases all(r.etcd());
    auto token = r.as_write();
    auto done = co_await all.grant(5s, 0, token);
    if (done.executed()) r.expect(r.has_lease(done.value().id), "there is no lease");
    else r.at_the_end([&r] { r.expect(r.leases() == 0, "a lease was left"); });
}

nothing keep_alive_once(run& r) {
    const lease_id id = r.grant(8);
    leases all(r.etcd());
    auto token = r.as_read();
    auto [ec, answer] = co_await all.keep_alive_once(id, token);
    expect_answer(r, ec);
    if (!ec) r.expect(answer.ttl == 8s, "another TTL");
}

nothing revoke(run& r) {
    const lease_id id = r.grant(12);
    leases all(r.etcd());
    auto token = r.as_write();
    auto done = co_await all.revoke(id, token);
    if (done.executed()) r.expect(!r.has_lease(id), "the lease is told to be revoked, and is not");
    else r.expect(!done.not_executed() || r.has_lease(id), "the lease is told not to be revoked, and is gone");
    r.expect(!r.untroubled() || done.executed(), "it is in doubt although nothing went wrong");
}

nothing put_with_ttl(run& r) {
    leases all(r.etcd());
    auto token = r.as_write();
    auto done = co_await all.put_with_ttl("/k", "v", 5s, token);
    if (done.executed()) r.expect(r.value("/k") == "v" && r.has_lease(done.value().lease.id), "it is not there");
    if (done.not_executed()) r.expect(r.value("/k").empty(), "it is told not to be executed, and is there");
    r.at_the_end([&r] { r.expect(r.value("/k").empty(), "the key is still there"); });
}

nothing keep_alive(run& r) {
    const lease_id id = r.grant(3);
    leases all(r.etcd());
    const auto enough = std::make_shared<asio::cancellation_signal>();
    // Long enough for a connection that was lost, and for three keep-alives where none was.
    asio::co_spawn(r.executor(), [](run& self, std::shared_ptr<asio::cancellation_signal> signal) -> nothing {
        co_await self.sleep(3'500ms);
        signal->emit(asio::cancellation_type::terminal);
    }(r, enough), asio::detached);
    auto until = asio::bind_cancellation_slot(enough->slot(), asio::as_tuple(asio::use_awaitable));
    auto [ec] = co_await all.keep_alive(id, until);
    r.expect(ec == cancelled, "the lease was lost: " + ec.message());
    r.expect(r.has_lease(id), "the lease has ended");
}

nothing lock(run& r) {
    claim_options how;
    how.ttl = 4s;
    mutex m(r.etcd(), "/lock", how);
    auto token = r.as_read();
    auto [ec, mine] = co_await m.lock(token);
    expect_answer(r, ec);
    if (ec) co_return;
    r.expect(!r.value(mine.key()).empty() || r.revision() > 1, "there is no such key");
    const txn what = txn().if_(mine.held()).then(op::put("/k", "v"));
    kv store(r.etcd());
    auto write = r.as_write();
    auto done = co_await store.commit(what, write);
    r.expect_truth(done.state(), [&r] { return r.value("/k") == "v"; }, "the guarded write");
    auto leave = r.as_read();
    auto [failed] = co_await mine.unlock(leave);
    if (!failed) r.expect(r.leases() == 0, "it was unlocked, and the lease is still there");
}

nothing try_lock(run& r) {
    claim_options how;
    how.ttl = 4s;
    mutex m(r.etcd(), "/lock", how);
    auto token = r.as_read();
    auto [ec, mine] = co_await m.try_lock(token);
    expect_answer(r, ec);
    if (!ec) r.expect(static_cast<bool>(mine), "nobody has it, and it is refused");
}

/// Behind somebody who leaves after a while.
nothing wait_for_lock(run& r) {
    const std::string other = "/lock/1";
    r.put(other, "");
    asio::co_spawn(r.executor(), [](run& self, std::string key) -> nothing {
        co_await self.sleep(700ms);
        self.erase(key);
    }(r, other), asio::detached);
    claim_options how;
    how.ttl = 4s;
    mutex m(r.etcd(), "/lock", how);
    auto token = r.as_read();
    auto [ec, mine] = co_await m.lock(token);
    expect_answer(r, ec);
    if (!ec) r.expect(r.value(other).empty() && r.revision() > 2, "somebody else has it");
}

// --- those who look on

/// Three changes while it looks, with etcd's words of its progress before the last one.
nothing watch(run& r) {
    r.put("/w/0", "before");
    watch_options how;
    how.start_revision = r.revision() + 1;
    how.prev_kv = true;
    watcher w(r.etcd(), key_range::prefix("/w/"), how);
    asio::co_spawn(r.executor(), [](run& self) -> nothing {
        for (int i = 0; i < 3; ++i) {
            co_await self.sleep(i < 2 ? 30ms : 2'500ms);
            self.put("/w/0", std::to_string(i));
            self.put("/elsewhere", "x");
        }
    }(r), asio::detached);
    revision_t last = how.start_revision - 1;
    for (int seen = 0; seen < 3;) {
        auto token = r.as_read();
        auto [ec, batch] = co_await w.next(token);
        if (ec) {
            r.expect(r.cancelled() && ec == cancelled, "it failed: " + ec.message());
            if (!r.cancelled()) co_return;
            continue;
        }
        for (const event& e : batch.events) {
            r.expect(e.kv.value == std::to_string(seen), "event " + std::to_string(seen) + " is " + e.kv.value);
            r.expect(e.prev_kv && e.prev_kv->value == (seen == 0 ? "before" : std::to_string(seen - 1)), "another previous value");
            r.expect(e.kv.mod_revision > last, "out of order");
            last = e.kv.mod_revision;
            ++seen;
        }
        r.expect(batch.revision == last, "the batch is of another revision");
    }
}

/// A snapshot, and changes until all is there and proven.
nothing follow(run& r) {
    r.put("/m/a", "0");
    mirror m(r.etcd(), key_range::prefix("/m/"));
    std::map<std::string, std::string> content;
    revision_t wanted = 0;
    for (bool live = false; !live || content["/m/a"] != "1" || wanted == 0;) {
        auto token = r.as_read();
        auto [ec, step] = co_await m.next(token);
        if (ec) {
            r.expect(r.cancelled() && ec == cancelled, "it failed: " + ec.message());
            if (!r.cancelled()) co_return;
            continue;
        }
        using kind = mirror_step::kind;
        r.expect(step.what != kind::resync || (r.compacted() && step.why == mirror_step::reason::compacted), "a resync for nothing");
        r.expect(step.what != kind::snapshot || content.empty(), "a second snapshot");
        for (const key_value& kv : step.content) content[kv.key] = kv.value;
        for (const event& e : step.events) {
            r.expect(e.kv.mod_revision > 2 || step.what == kind::resync, "what the snapshot had comes again");
            content[e.kv.key] = e.kv.value;
        }
        live = step.what == kind::connected || step.what == kind::verified || (live && step.what != kind::interrupted);
        if (live && wanted == 0) wanted = r.put("/m/a", "1");
    }
}

nothing manage(run& r) {
    r.put("/m/host", "db1");
    manager_options how;
    how.start_timeout = 3s;
    how.look_up = [](const std::string&) { return std::nullopt; };
    const auto schema = std::make_shared<prefix_schema>("/m");
    config_manager config(r.executor(), schema, etcd_source(r.etcd()), how);
    auto token = r.as_read();
    auto [ec, report] = co_await config.start(token);
    expect_answer(r, ec);
    // Cancelled or not: it runs, and follows.
    if (!ec) {
        const revision_t before = config.current().revision();
        r.put("/m/host", "db2");
        auto changed = r.as_read();
        auto [failed, news] = co_await config.changed_since(before, changed);
        expect_answer(r, failed);
        if (!failed) r.expect(news.all().at("host") == value("db2"), "another value");
    }
    co_await config.stop(asio::as_tuple(asio::use_awaitable));
}

/// What was missed is compacted: everything is read once more.
nothing reload(run& r) {
    r.put("/m/host", "db1");
    for (int i = 0; i < 4; ++i) r.put("/m/more" + std::to_string(i), "x");   // so that there are pages
    mirror m(r.etcd(), key_range::prefix("/m/"));
    std::string host;
    bool lost = false, resynced = false;
    for (bool live = false; !live || host != "db3";) {
        auto token = r.as_read();
        auto [ec, step] = co_await m.next(token);
        if (ec) {
            r.expect(r.cancelled() && ec == cancelled, "it failed: " + ec.message());
            if (!r.cancelled()) co_return;
            continue;
        }
        using kind = mirror_step::kind;
        r.expect(step.what != kind::resync || ((lost || r.compacted()) && step.why == mirror_step::reason::compacted), "a resync for nothing");
        resynced |= step.what == kind::resync;
        for (const key_value& kv : step.content)
            if (kv.key == "/m/host") host = kv.value;
        for (const event& e : step.events)
            if (e.kv.key == "/m/host") host = e.kv.value;
        live = step.what == kind::connected || step.what == kind::verified || (live && step.what != kind::interrupted);
        if (live && !lost) {
            lost = true;
            r.member().end_streams();
            r.put("/m/host", "db2");
            r.compact(r.put("/m/host", "db3"));
        }
    }
    r.expect(!r.untroubled() || resynced, "nothing was compacted for it");
}

// --- the rest

nothing status(run& r) {
    maintenance m(r.etcd());
    auto token = r.as_read();
    auto [ec, answer] = co_await m.status(token);
    expect_answer(r, ec);
    if (!ec) r.expect(answer.version == "3.5.30", "another version");
}

nothing member_list(run& r) {
    cluster c(r.etcd());
    const member_list_options how;
    auto token = r.as_read();
    auto [ec, answer] = co_await c.member_list(how, token);
    expect_answer(r, ec);
    if (!ec) r.expect(answer.members.size() == 1, "other members");
}

nothing snapshot_to_file(run& r) {
    for (int i = 0; i < 3; ++i) r.put("/k" + std::to_string(i), std::string(50, 'x'));
    maintenance m(r.etcd());
    const auto file = r.folder() / "copy";
    auto token = r.as_read();
    auto [ec, answer] = co_await m.snapshot(file, token);
    std::error_code ignored;
    std::string there;
    for (const auto& each : std::filesystem::directory_iterator(r.folder())) {
        there += each.path().filename().native() + " ";
        std::filesystem::remove(each.path(), ignored);
    }
    r.expect(there == (ec ? "" : "copy "), "files: " + there + "and it says: " + ec.message());
    r.expect(!r.untroubled() || !ec, "it failed: " + ec.message());
}

/// With the first call comes the login.
nothing authenticate(run& r) {
    r.put("/k", "v");
    kv store(r.etcd());
    const range_options how;
    auto token = r.as_read();
    auto [ec, found] = co_await store.get("/k", how, token);
    expect_answer(r, ec);
    if (!ec) r.expect(found && found->value == "v", "another value");
}

}  // namespace

const std::vector<exchange>& exchanges() {
    static const std::vector<exchange> all{
        {"range", range},
        {"put", put},
        {"delete", erase},
        {"txn", commit},
        {"create if absent", create},
        {"bulk", work_in_bulk},
        {"lease grant", grant},
        {"lease keep alive once", keep_alive_once},
        {"lease keep alive", keep_alive, false, true},
        {"lease revoke", revoke},
        {"put with ttl", put_with_ttl},
        {"lock", lock},
        {"try lock", try_lock},
        {"lock that others have", wait_for_lock},
        {"watch", watch, false, true},
        {"mirror", follow, false, true, true},
        {"mirror reload", reload, false, true, true},
        {"manager", manage, false, true, true},
        {"status", status},
        {"member list", member_list},
        {"snapshot", snapshot_to_file},
        {"authenticate", authenticate, true},
    };
    return all;
}

}  // namespace dynconf::simulation_test
