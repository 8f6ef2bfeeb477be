// Restarts of a program with a copy on disk, on real etcd processes. Bytes are counted on the wire.

#include "integration/manager_scene.hpp"
#include "support/relay.hpp"
#include "support/scratch_dir.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;

namespace {

void fill(const etcd_admin& admin, int keys, const std::string& text) {
    std::vector<std::pair<std::string, std::string>> some;
    for (int i = 0; i < keys; ++i) {
        some.emplace_back("/app/key" + std::to_string(i), text + std::to_string(i));
        if (some.size() == 100 || i + 1 == keys) admin.put_all(std::exchange(some, {}));
    }
}

/// One life of a program: starts, is compared with etcd, and stops.
struct life {
    start_report report;
    config_state state{};
    bool equal = false;
    std::uint64_t resyncs = 0;
    strings told;   // after the first publication
    std::uint64_t bytes = 0;
};

/// `meanwhile` is what others do while it runs: the copy that stop() leaves is of an etcd in which it has happened.
life live(relay& wire, const std::filesystem::path& copy, const etcd_admin& admin,
          const std::function<void()>& meanwhile = {}, const std::optional<key_ring>& seal = std::nullopt) {
    life out;
    const std::uint64_t before = wire.seen().answer_bytes;
    {
        io_threads io(1);
        manager_options how;
        how.cache.path = copy;
        how.cache.seal = seal;
        how.client.backoff.first = 20ms;
        how.client.backoff.most = 200ms;
        if (meanwhile) how.client.max_staleness = 4s;   // a proof each second
        how.start_timeout = 60s;
        config_manager cfg(io.get_executor(), open_schema(), at(wire.endpoint()), how);
        std::mutex mutex;
        const subscription sub = cfg.subscribe([&](const snapshot& from, const snapshot& to) {
            if (from.origin() == origin::none) return;
            const std::lock_guard lock(mutex);
            for (std::string& name : changed_names(from, to)) out.told.push_back(std::move(name));
        });
        out.report = cfg.start(asio::use_future).get();
        const config_map expected = content_of(admin);
        out.equal = becomes_true([&] { return cfg.status().state == config_state::live && cfg.current().all() == expected; }, 10s);
        if (meanwhile) {
            meanwhile();
            const auto now = std::chrono::steady_clock::now();
            CHECK(becomes_true([&] { return cfg.status().as_of >= now; }));
        }
        out.state = cfg.status().state;
        out.resyncs = cfg.status().resyncs;
        cfg.stop(asio::use_future).get();
        CHECK(cfg.status().cache.failures == 0);
    }
    out.bytes = wire.seen().answer_bytes - before;
    std::sort(out.told.begin(), out.told.end());
    return out;
}

}  // namespace

TEST_CASE("a restart with a hundred thousand keys transfers what has changed", "[warm_start]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    fill(admin, 100'000, "value ");
    relay wire(etcd.port());
    const scratch_dir dir;
    const std::filesystem::path copy = dir.path() / "copy";

    const life cold = live(wire, copy, admin);
    CHECK(cold.report.ok());
    CHECK(cold.equal);
    CHECK(cold.bytes > 5'000'000);

    const life same = live(wire, copy, admin);
    CHECK(same.report.ok());
    CHECK(same.report.origin == origin::etcd);
    CHECK(same.report.cache.used());
    CHECK(same.equal);
    CHECK(same.told.empty());
    CHECK(same.resyncs == 0);

    admin.put_all({{"/app/key7", "changed"}, {"/app/new", "new"}});
    admin.erase("/app/key8");
    const life warm = live(wire, copy, admin);
    CHECK(warm.equal);
    CHECK(warm.told == strings{"key7", "key8", "new"});
    CHECK(warm.resyncs == 0);
    UNSCOPED_INFO("cold " << cold.bytes << " bytes, unchanged " << same.bytes << ", three changes " << warm.bytes);
    CHECK(same.bytes < 16'384);
    CHECK(warm.bytes < 16'384);
}

TEST_CASE("a quiet prefix beside busy ones: a restart after a compaction transfers nothing again", "[warm_start]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    fill(admin, 5'000, "value ");
    relay wire(etcd.port());
    const scratch_dir dir;
    const std::filesystem::path copy = dir.path() / "copy";
    const auto others = [&] {
        admin.flood(1'000, [](std::size_t i) {
            return std::pair<std::string, std::string>("/other/" + std::to_string(i % 10), "value " + std::to_string(i));
        });
    };
    const life cold = live(wire, copy, admin, others);
    CHECK(cold.equal);
    CHECK(cold.bytes > 250'000);
    admin.compact(admin.revision());

    const life warm = live(wire, copy, admin, others);
    CHECK(warm.report.cache.used());
    CHECK(warm.equal);
    CHECK(warm.resyncs == 0);
    CHECK(warm.told.empty());
    CHECK(warm.bytes < 16'384);
    admin.compact(admin.revision());

    // No change at all in two lives, and what changes is still heard.
    admin.put("/app/key7", "changed");
    const life changed = live(wire, copy, admin);
    UNSCOPED_INFO("cold " << cold.bytes << " bytes, after a compaction " << warm.bytes << ", and a change " << changed.bytes);
    CHECK(changed.equal);
    CHECK(changed.told == strings{"key7"});
    CHECK(changed.resyncs == 0);
    CHECK(changed.bytes < 16'384);
}

TEST_CASE("a copy from before a compaction, of a wiped store or of another cluster is led to the present", "[warm_start]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir dir;
    const std::filesystem::path copy = dir.path() / "copy";
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    relay wire(etcd.port());
    fill(admin, 200, "value ");
    REQUIRE(live(wire, copy, admin).equal);

    admin.put("/app/key7", "changed");
    admin.erase("/app/key8");
    admin.compact(admin.put("/app/new", "new"));
    const life compacted = live(wire, copy, admin);
    CHECK(compacted.report.cache.used());
    CHECK(compacted.equal);
    CHECK(compacted.told == strings{"key7", "key8", "new"});
    CHECK(compacted.resyncs == 1);

    etcd.kill();
    etcd.wipe();
    etcd.start();
    fill(admin, 150, "value ");
    admin.put("/app/key9", "other");
    const life wiped = live(wire, copy, admin);
    CHECK(wiped.equal);
    CHECK(wiped.resyncs == 1);
    CHECK(std::count(wiped.told.begin(), wiped.told.end(), "key9") == 1);
    CHECK(std::count(wiped.told.begin(), wiped.told.end(), "key20") == 0);   // the same text

    etcd_process other(binary);
    const etcd_admin elsewhere(other);
    fill(elsewhere, 100, "value ");
    for (int i = 0; i < 5; ++i) fill(elsewhere, 100, "other ");   // past the revision of the copy
    relay to_other(other.port());
    const life replaced = live(to_other, copy, elsewhere);
    CHECK(replaced.report.cache.used());
    CHECK(replaced.equal);
    CHECK(replaced.resyncs == 1);

    const life again = live(to_other, copy, elsewhere);
    CHECK(again.equal);
    CHECK(again.resyncs == 0);
    CHECK(again.told.empty());
}

TEST_CASE("etcd away at a restart: the copy serves, and is caught up when etcd is back", "[warm_start]") {
    FOR_EACH_ETCD(binary);
    const scratch_dir dir;
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    relay wire(etcd.port());
    fill(admin, 200, "value ");
    REQUIRE(live(wire, dir.path() / "copy", admin).equal);
    wire.cut();
    io_threads io(1);
    manager_options how;
    how.cache.path = dir.path() / "copy";
    how.client.backoff.first = 20ms;
    how.client.backoff.most = 100ms;
    config_manager cfg(io.get_executor(), open_schema(), at(wire.endpoint()), how);
    const start_report r = cfg.start(asio::use_future).get();
    CHECK(r.state == config_state::stale);
    CHECK(r.origin == origin::disk);
    CHECK(r.cause.code);
    CHECK(cfg.current().all() == content_of(admin));
    admin.put("/app/key7", "changed");
    wire.mend();
    CHECK(becomes_true([&] { return cfg.status().state == config_state::live && cfg.current().all() == content_of(admin); }));
    CHECK(cfg.status().origin == origin::etcd);
    CHECK(cfg.status().resyncs == 0);
    cfg.stop(asio::use_future).get();
}

TEST_CASE("a restart goes on from a sealed copy, and not from one that its ring does not open", "[warm_start]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    fill(admin, 5'000, "value ");
    relay wire(etcd.port());
    const scratch_dir dir;
    const std::filesystem::path copy = dir.path() / "copy";
    const key_ring ring("a", sealing_key::generate());
    const key_ring turned = ring.writing("b", sealing_key::generate());
    struct row { key_ring with; cache_verdict found; };
    const row lives[] = {
        {ring, cache_verdict::missing},
        {ring, cache_verdict::usable},
        {turned, cache_verdict::usable},
        {key_ring("a", sealing_key::generate()), cache_verdict::not_opened},
    };
    for (const row& r : lives) {
        INFO(to_string(r.found));
        const life one = live(wire, copy, admin, {}, r.with);
        CHECK(one.equal);
        CHECK(one.report.cache.current == r.found);
        if (r.found == cache_verdict::usable) CHECK(one.bytes < 16'384);
        else CHECK(one.bytes > 250'000);
        std::ifstream in(copy, std::ios::binary);
        const std::string file{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        CHECK(file.find("value ") == std::string::npos);
        CHECK(file.find("/app/") == std::string::npos);
    }
}
