// A host that dies, or a network that is cut: nothing answers, not even with a refusal, and TCP alone can tell. Needs a
// network of its own to cut: scripts/figures dead_host runs it in a network namespace.

#include "integration/scene.hpp"

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>

using namespace dynconf;
using namespace dynconf::test;
using steady = std::chrono::steady_clock;

namespace {

/// Nothing but the loopback interface, so that nobody else is cut off.
bool network_is_ours() {
    if (std::getenv("DYNCONF_TEST_PRIVATE_NETWORK") == nullptr) return false;
    const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> all(if_nameindex(), &if_freenameindex);
    return all && all.get()[0].if_index != 0 && std::strcmp(all.get()[0].if_name, "lo") == 0 && all.get()[1].if_index == 0;
}

void set_loopback(bool up) {
    const int s = ::socket(AF_INET, SOCK_DGRAM, 0);
    REQUIRE(s >= 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    bool done = ::ioctl(s, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    done = done && ::ioctl(s, SIOCSIFFLAGS, &request) == 0;
    ::close(s);
    REQUIRE(done);
}

}  // namespace

TEST_CASE("dead host: a watch that hears nothing is told by TCP within 10 s, at no cost to the server", "[.dead_host]") {
    if (!network_is_ours()) SKIP_CASE("needs a network namespace of its own: scripts/figures dead_host");
    set_loopback(true);
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    run([&]() -> asio::awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        client_options options = hasty(etcd);
        options.max_staleness = 10min;   // the probes say nothing meanwhile
        const client c(executor, options);
        mirror content(c, key_range::prefix("/app/"));
        co_await next_of(content, mirror_step::kind::connected);
        set_loopback(false);
        const auto cut = steady::now();
        const mirror_step told = co_await next_of(content, mirror_step::kind::interrupted);
        const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - cut);
        CHECK(after < 10'500ms);   // 0.5 s for the scheduler of a busy machine
        WARN(binary << ": told after " << after.count() << " ms: " << told.cause.message());
        set_loopback(true);
        co_await next_of(content, mirror_step::kind::connected);
    }, 60s);
}
