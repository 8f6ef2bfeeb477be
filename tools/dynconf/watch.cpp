#include "commands.hpp"
#include "output.hpp"
#include "output_json.hpp"
#include "output_text.hpp"

#include <dynconf/client.hpp>
#include <dynconf/mirror.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace dynconf::tool {

namespace asio = boost::asio;

namespace {

/// Thrown through the coroutine where there is nobody left to write for.
struct no_reader {};

/// SIGINT and SIGTERM as a descriptor, so that a write to a reader that has stalled sees them, too.
int open_stop_descriptor() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    return fd;
}

bool output_is_a_pipe() {
    struct stat about {};
    return ::fstat(STDOUT_FILENO, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

/// Steps of the mirror as lines: one for each revision, and a state when it becomes another one.
class watch_printer {
public:
    watch_printer(const output& to, bool json) : to_(to), json_(json) { say_state("starting", {}, nullptr); }

    void on(const mirror_step& step) {
        switch (step.what) {
            case mirror_step::kind::snapshot:
                loaded_ = true;
                revision_ = step.revision;
                write(json_ ? json_lines::snapshot(step.revision, step.content)
                            : text_lines::snapshot(step.revision, step.content));
                break;
            case mirror_step::kind::update: say_revisions(step.events); break;
            case mirror_step::kind::resync:
                revision_ = step.revision;
                write(json_ ? json_lines::resync(step.revision, step.why, step.events)
                            : text_lines::resync(step.revision, step.why, step.events));
                break;
            case mirror_step::kind::connected: say_state("live", step.endpoint, nullptr); break;
            case mirror_step::kind::verified: break;
            case mirror_step::kind::interrupted: say_state(loaded_ ? "stale" : "starting", {}, &step.cause); break;
        }
    }

private:
    void say_revisions(std::span<const event> events) {
        while (!events.empty()) {
            const revision_t revision = events.front().kv.mod_revision;
            std::size_t n = 1;
            while (n < events.size() && events[n].kv.mod_revision == revision) ++n;
            revision_ = revision;
            write(json_ ? json_lines::update(revision, events.first(n)) : text_lines::update(revision, events.first(n)));
            events = events.subspan(n);
        }
    }

    void say_state(std::string_view name, const std::string& endpoint, const error* cause) {
        const error_code why = cause ? cause->code : error_code();
        if (name == state_ && endpoint == endpoint_ && why == why_) return;
        state_ = name;
        endpoint_ = endpoint;
        why_ = why;
        write(json_ ? json_lines::state(name, revision_, endpoint, cause)
                    : text_lines::state(name, revision_, endpoint, cause));
    }

    void write(const std::string& lines) const {
        const auto failure = to_.write(lines);
        if (failure == boost::system::errc::broken_pipe || failure == asio::error::operation_aborted) throw no_reader();
        if (failure) throw std::runtime_error("cannot write: " + failure.message());
    }

    const output& to_;
    bool json_;
    bool loaded_ = false;
    revision_t revision_ = 0;
    std::string state_;
    std::string endpoint_;
    error_code why_;
};

asio::awaitable<void> follow(mirror content, watch_printer& printer) {
    for (;;) {
        const mirror_step step = co_await content.next();
        printer.on(step);
    }
}

std::vector<key_range> ranges_of(const request& asked) {
    std::vector<key_range> ranges;
    for (const std::string& prefix : asked.keys) ranges.push_back(key_range::prefix(prefix));
    return ranges;
}

}  // namespace

exit_code run_watch(const request& asked) {
    asio::io_context io;
    client etcd(io.get_executor(), asked.client);
    asio::posix::stream_descriptor stop(io, open_stop_descriptor());
    stop.async_wait(asio::posix::descriptor_base::wait_read, [&io](const error_code&) { io.stop(); });
    std::optional<asio::posix::stream_descriptor> reader;
    if (output_is_a_pipe()) {  // that its reader is gone shows without a write
        reader.emplace(io, ::dup(STDOUT_FILENO));
        reader->async_wait(asio::posix::descriptor_base::wait_error, [&io](const error_code&) { io.stop(); });
    }

    const output to(stop.native_handle());
    std::exception_ptr ended;
    try {
        watch_printer printer(to, asked.json);
        mirror content(etcd, ranges_of(asked));
        asio::co_spawn(io, follow(std::move(content), printer), [&](std::exception_ptr e) {
            ended = std::move(e);
            io.stop();
        });
        io.run();
        if (ended) std::rethrow_exception(ended);
    } catch (const no_reader&) {}
    return succeeded;
}

}  // namespace dynconf::tool
