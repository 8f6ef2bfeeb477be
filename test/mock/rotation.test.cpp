// A peer that writes each time it is asked, and sends the newest revision on the old stream while the next one is opened.
#include "mock/watch_scene.hpp"
#include "support/figures.hpp"

#include <atomic>

using namespace dynconf;
using namespace std::chrono_literals;
using namespace dynconf::test;

namespace {

/// Each revision has two events.
std::string revision_line(revision_t r) {
    const std::string value = std::to_string(r);
    return news(r, {put_event("/a/left", value, r), put_event("/a/right", value, r)});
}

}  // namespace

TEST_CASE("rotation: stream after stream under writes, nothing lost and nothing doubled", "[watch][rotation]") {
    const std::size_t rotations = in_full() ? 10'000 : 500;
    std::atomic<revision_t> newest{1};
    fake_gateway gateway;
    gateway.on(watch_path, [&](const gateway_request& r) {
        const revision_t now = newest += 1 + static_cast<revision_t>(r.number % 3);
        std::vector<std::string> lines{created(now)};
        for (revision_t from = start_revision(r); from <= now; ++from) lines.push_back(revision_line(from));
        gateway_answer answer = stream(lines, gateway_answer::then::hold);
        // The next stream is asked for: the first revision that is new to it comes on this one, too.
        answer.steps.push_back({chunk(revision_line(now + 1)), 0ms, [&newest, now] { return newest > now; }});
        return answer;
    });
    client_options o = options_for({gateway.url()});
    o.rotate_after = 1ms;
    revision_t next = 2;
    std::size_t wrong = 0;
    test::run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        const client c(executor, o);
        watcher w(c, ours(), from(2));
        while (gateway.count(watch_path) <= rotations) {
            const watch_batch batch = co_await w.next();
            if (batch.events.size() % 2 != 0) ++wrong;
            for (std::size_t i = 0; i < batch.events.size(); ++i) {
                const event& e = batch.events[i];
                const bool left = i % 2 == 0;
                if (e.kv.key != (left ? "/a/left" : "/a/right") || e.kv.mod_revision != next) ++wrong;
                if (!left) ++next;
            }
        }
    }, 120s);
    CHECK(wrong == 0);
    CHECK(next > static_cast<revision_t>(rotations));
    WARN(gateway.count(watch_path) - 1 << " rotations, " << next - 2 << " revisions, " << wrong
         << " lost, doubled or torn");
}
