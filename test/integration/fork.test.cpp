// A fork with a client at work. Nothing else runs here: a fork copies only the thread that calls it.

#include "integration/scene.hpp"

#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>

#include <boost/asio/io_context.hpp>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>

using namespace dynconf;
using namespace dynconf::test;
using steady = std::chrono::steady_clock;

namespace {

/// One process of the two: a manager and all that runs it.
struct service {
    explicit service(const etcd_process& etcd)
        : cfg(io.get_executor(), std::make_shared<const prefix_schema>("/app"), from(etcd)) {
        cfg.start([](error_code, const start_report&) {});
    }
    static settings from(const etcd_process& etcd) {
        settings s;
        s.endpoints = strings(1, etcd.endpoint());
        return s;
    }
    bool becomes(const std::function<bool()>& met) {
        for (const auto due = steady::now() + 20s; steady::now() < due;) {
            if (met()) return true;
            io.restart();
            io.run_one_for(100ms);
        }
        return met();
    }
    bool follows(const std::string& value) {
        return becomes([&] {
            return cfg.status().state == config_state::live && cfg.current().get_or("k", "") == value;
        });
    }

    asio::io_context io;
    config_manager cfg;
};

/// Runs `body` in a fork of this process; what it gives is the exit status.
pid_t forked(asio::io_context& io, const std::function<int()>& body) {
    const pid_t parent = ::getpid();
    io.notify_fork(asio::execution_context::fork_prepare);
    const pid_t child = ::fork();
    if (child != 0) {
        io.notify_fork(asio::execution_context::fork_parent);
        return child;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = 3;
    try {
        if (::getppid() == parent) status = body();
    } catch (const std::exception&) {}
    ::_exit(status);   // neither destructors nor the test's report: those are the parent's
}

int status_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TEST_CASE("fork: the child goes on with the manager, the parent only waits", "[fork]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/k", "before");
    service s(etcd);
    REQUIRE(s.follows("before"));
    const auto streams = etcd.metric("etcd_debugging_mvcc_watch_stream_total");
    const pid_t child = forked(s.io, [&] {
        s.io.notify_fork(asio::execution_context::fork_child);
        if (!s.follows("after")) return 1;
        admin.put("/app/k", "by the child");
        return s.follows("by the child") && s.cfg.status().interruptions == 0 ? 0 : 2;
    });
    admin.put("/app/k", "after");
    CHECK(status_of(child) == 0);
    CHECK(etcd.metric("etcd_debugging_mvcc_watch_stream_total") <= streams);   // the child used the same one
}

TEST_CASE("fork: the parent goes on with the manager, the child leaves it alone", "[fork]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    admin.put("/app/k", "before");
    service s(etcd);
    REQUIRE(s.follows("before"));
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = forked(s.io, [&] {   // stays while the parent works, and holds copies of its sockets
        ::close(ends[1]);
        char byte;
        return static_cast<int>(::read(ends[0], &byte, 1));
    });
    ::close(ends[0]);
    admin.put("/app/k", "beside the child");
    CHECK(s.follows("beside the child"));
    ::close(ends[1]);
    CHECK(status_of(child) == 0);
    admin.put("/app/k", "after the child");
    CHECK(s.follows("after the child"));
    CHECK(s.cfg.status().interruptions == 0);
    bool stopped = false;
    s.cfg.stop([&](error_code) { stopped = true; });
    CHECK(s.becomes([&] { return stopped; }));
}
