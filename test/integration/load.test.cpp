// Floods: what a service does not want to see may cost it nothing, and a service that sleeps may not grow.
// DYNCONF_TEST_FULL=1: the figures in full.

#include "integration/scene.hpp"
#include "support/io_threads.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/use_future.hpp>

#include <atomic>
#include <cstddef>
#include <fstream>
#include <memory>
#include <thread>

#if defined(__SANITIZE_ADDRESS__)
#define DYNCONF_TEST_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DYNCONF_TEST_ASAN
#endif
#endif
#ifdef DYNCONF_TEST_ASAN
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();   // not every compiler has the header of it
#endif

using namespace dynconf;
using namespace dynconf::test;

namespace {

/// Memory of this process, in MiB: resident, or, as AddressSanitizer keeps freed memory resident (256 MB of it), allocated.
double memory() {
#ifdef DYNCONF_TEST_ASAN
    return static_cast<double>(__sanitizer_get_current_allocated_bytes()) / 1048576;
#else
    std::ifstream statm("/proc/self/statm");
    double total = 0, pages = 0;
    statm >> total >> pages;
    return pages * 4096 / 1048576;
#endif
}

}  // namespace

TEST_CASE("load: foreign writes and compactions beside a quiet prefix call nobody", "[load]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/k", "quiet");
    io_threads io(1);
    settings from;
    from.endpoints = strings(1, etcd.endpoint());
    manager_options options;
    options.client.max_staleness = 2s;
    std::atomic<unsigned> calls{0};
    config_manager cfg(io.get_executor(), std::make_shared<const prefix_schema>("/app"), from, options);
    const subscription any = cfg.subscribe([&](const snapshot&, const snapshot&) { ++calls; });
    REQUIRE(cfg.start(asio::use_future).get().ok());
    REQUIRE(becomes_true([&] { return cfg.status().state == config_state::live; }));
    calls = 0;

    const std::size_t writes = in_full() ? 1'000'000 : 20'000;
    constexpr std::size_t rounds = 10;
    for (std::size_t round = 0; round < rounds; ++round) {
        admin.flood(writes / rounds, [](std::size_t i) {
            return std::pair<std::string, std::string>("/other/" + std::to_string(i % 1000), "value " + std::to_string(i));
        });
        admin.compact(admin.revision());
    }
    CHECK(calls == 0);
    const status after = cfg.status();
    CHECK(after.resyncs <= 1);
    CHECK(after.state == config_state::live);
    const auto last = admin.put("/app/k", "heard");
    CHECK(becomes_true([&] { return cfg.current().revision() >= last; }));
    CHECK(cfg.current().get_or("k", "") == "heard");
    CHECK(calls == 1);
    WARN(binary << ": " << writes << " foreign writes, " << rounds << " compactions: 0 calls, " << after.resyncs
                << " reloads, " << after.interruptions << " interruptions");
    cfg.stop(asio::use_future).get();
}

TEST_CASE("load: a watcher that sleeps holds a bounded amount, and loses nothing", "[load]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    const std::size_t writes = in_full() ? 4'000 : 800;
    const std::string large(100'000, 'x');
    test::run(
        [&]() -> asio::awaitable<void> {
            auto ex = co_await asio::this_coro::executor;
            client_options options = hasty(etcd);
            options.watch_buffer_bytes = std::size_t{4} << 20;
            client c(ex, options);
            watcher news(c, key_range::prefix("big/"), {.start_revision = 1});
            admin.put("big/0", "first");
            const watch_batch first = co_await news.next();
            CHECK(first.events.size() == 1);

            const double before = memory();
            std::atomic<std::size_t> writing{0};
            std::thread writer([&] {
                // One connection's worth at a time: what is asked here is the reader's memory, not the writer's.
                for (; writing < writes; ++writing) admin.put("big/" + std::to_string(writing % 50), large);
            });
            struct ended {   // also when the limit below ends all this
                std::thread& thread;
                std::atomic<std::size_t>& counter;
                std::size_t enough;
                ~ended() {
                    counter = enough;
                    if (thread.joinable()) thread.join();
                }
            } at_end{writer, writing, writes};
            double most = before;
            while (writing < writes / 2) {   // the rest comes while it reads again
                co_await wait_for(20ms);
                most = std::max(most, memory());
            }
            CHECK(most - before < 64);

            std::size_t events = 0;
            revision_t last = first.revision;
            bool whole = true;
            while (whole && last < first.revision + static_cast<revision_t>(writes)) {
                const watch_batch more = co_await news.next();
                for (const event& e : more.events) {
                    whole = whole && e.kv.mod_revision == last + 1;
                    last = e.kv.mod_revision;
                    ++events;
                }
            }
            writer.join();
            CHECK(whole);
            CHECK(events == writes);
            WARN(binary << ": " << writes / 10 << " MB written while the watcher slept: " << most - before
                        << " MiB more memory, all " << events << " revisions afterwards");
        },
        500s);
}
