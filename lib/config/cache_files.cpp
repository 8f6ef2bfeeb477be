#include "config/cache_files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace dynconf::detail {

namespace {

namespace fs = std::filesystem;

/// Nothing that a configuration has; a larger file is not taken into memory.
constexpr std::size_t largest_file = std::size_t{1} << 30;
/// One system call of a write: a hung disk is noticed between two.
constexpr std::size_t piece_size = std::size_t{1} << 20;

class descriptor {
public:
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_;
};

template <class Call> auto again_if_interrupted(Call call) {
    for (;;) {
        const auto n = call();
        if (n >= 0 || errno != EINTR) return n;
    }
}

error_code last_error() { return {errno, boost::system::system_category()}; }

/// nullopt: the file is larger than what is taken.
result<std::optional<cache_bytes>> read_all(int fd, const cache_files::disk_hook& on_disk) {
    cache_bytes bytes;
    std::size_t have = 0;
    for (;;) {
        on_disk(true);
        bytes.resize(have + piece_size);
        const ssize_t n = again_if_interrupted([&] { return ::read(fd, bytes.data() + have, piece_size); });
        if (n < 0) return error{last_error(), "read"};
        have += static_cast<std::size_t>(n);
        if (have > largest_file) return std::optional<cache_bytes>();
        if (n > 0) continue;
        bytes.resize(have);
        return std::optional(std::move(bytes));
    }
}

fs::path beside(const fs::path& path, const char* suffix) {
    fs::path other = path;
    other += suffix;
    return other;
}

}  // namespace

cache_files::cache_files(fs::path path, step_hook before_step, std::optional<key_ring> ring, std::chrono::milliseconds patience)
    : current_(std::move(path)), previous_(beside(current_, ".previous")), next_(beside(current_, ".new")),
      lock_(beside(current_, ".lock")), before_step_(std::move(before_step)), ring_(std::move(ring)), patience_(patience) {}

cache_files::reading cache_files::read_one(const fs::path& path, const disk_hook& on_disk) const {
    reading out;
    const auto refuse = [&](cache_verdict verdict, error_code code, std::string why) {
        out.verdict = verdict;
        out.why = {code, path.native() + ": " + std::move(why)};
    };
    on_disk(true);
    // O_NONBLOCK: a pipe in its place must not hang us.
    const descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) {
        if (errno != ENOENT) refuse(cache_verdict::unreadable, last_error(), "open");
        return out;
    }
    struct stat about{};
    if (::fstat(fd.get(), &about) != 0) {
        refuse(cache_verdict::unreadable, last_error(), "fstat");
        return out;
    }
    if (!S_ISREG(about.st_mode)) {
        refuse(cache_verdict::unreadable, errc::invalid_argument, "no regular file");
        return out;
    }
    if (about.st_uid != ::geteuid() || (about.st_mode & 077) != 0) {
        refuse(cache_verdict::not_private, boost::system::errc::make_error_code(boost::system::errc::permission_denied),
               about.st_uid != ::geteuid() ? "owned by another user" : "open to others than its owner");
        return out;
    }
    auto bytes = read_all(fd.get(), on_disk);
    if (!bytes) {
        refuse(cache_verdict::unreadable, bytes.error().code, bytes.error().detail);
        return out;
    }
    if (!*bytes) {
        refuse(cache_verdict::damaged, errc::cache_refused, "too large");
        return out;
    }
    on_disk(false);
    decoded_cache decoded = decode_cache(**bytes, ring_);
    if (decoded.verdict != cache_verdict::usable) refuse(decoded.verdict, errc::cache_refused, std::move(decoded.why));
    else out.verdict = cache_verdict::usable;
    out.copy = std::move(decoded.copy);
    return out;
}

cache_files::choice cache_files::read(const policy::cache_demands& want, const disk_hook& on_disk) const {
    const disk_hook hook = on_disk ? on_disk : [](bool) {};
    choice out;
    for (const bool newest : {true, false}) {
        const fs::path& path = newest ? current_ : previous_;
        reading r = read_one(path, hook);
        if (r.verdict == cache_verdict::usable) {
            policy::cache_facts facts;
            facts.ranges = r.copy.ranges;
            facts.as_of = r.copy.as_of;
            r.verdict = policy::judge(facts, want);
            if (r.verdict != cache_verdict::usable)
                r.why = {errc::cache_refused, path.native() + ": " + std::string(to_string(r.verdict))};
        }
        (newest ? out.found.current : out.found.previous) = r.verdict;
        if (r.verdict == cache_verdict::usable) {
            out.found.revision = r.copy.content.revision;
            out.found.cluster_id = r.copy.content.cluster_id;
            out.found.as_of = r.copy.as_of;
            out.found.clock_went_back = r.copy.as_of > want.now;
            out.copy = std::move(r.copy);
            break;
        }
        if (r.why.code && !out.found.cause.code) out.found.cause = std::move(r.why);   // the newer one's
    }
    return out;
}

result<void> cache_files::write(std::span<const std::uint8_t> bytes, bool rotate) const {
    // Each step is a name and a call that answers as system calls do.
    const auto step = [this](std::string_view name, const fs::path& on, auto call) -> result<decltype(call())> {
        if (before_step_)
            if (const error_code ec = before_step_(name)) return error{ec, std::string(name) + ' ' + on.native()};
        const auto n = again_if_interrupted(call);
        if (n < 0) return error{last_error(), std::string(name) + ' ' + on.native()};
        return n;
    };
    // One writer at a time, of any process.
    const auto held = lock();
    if (!held) return held.error();
    const descriptor locked(*held);
    const fs::path folder = current_.has_parent_path() ? current_.parent_path() : fs::path(".");
    const descriptor dir(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return error{last_error(), "open " + folder.native()};

    // What a killed writer has left.
    auto removed = step("remove", next_, [&] { return ::unlink(next_.c_str()) == 0 || errno == ENOENT ? 0 : -1; });
    if (!removed) return removed.error();
    auto made = step("create", next_, [&] {
        return ::open(next_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    });
    if (!made) return made.error();
    const descriptor file(*made);
    const auto give_up = [this](const error& why) {
        ::unlink(next_.c_str());   // gives a full disk its room back
        return why;
    };
    // Whatever the umask has taken away.
    if (auto r = step("chmod", next_, [&] { return ::fchmod(file.get(), S_IRUSR | S_IWUSR); }); !r) return give_up(r.error());
    while (!bytes.empty()) {
        auto n = step("write", next_, [&] { return ::write(file.get(), bytes.data(), std::min(bytes.size(), piece_size)); });
        if (!n) return give_up(n.error());
        bytes = bytes.subspan(static_cast<std::size_t>(*n));
    }
    if (auto r = step("fsync", next_, [&] { return ::fsync(file.get()); }); !r) return give_up(r.error());
    if (rotate) {
        auto r = step("rotate", current_, [&] {
            return ::rename(current_.c_str(), previous_.c_str()) == 0 || errno == ENOENT ? 0 : -1;   // somebody removed it
        });
        if (!r) return give_up(r.error());
    }
    if (auto r = step("replace", current_, [&] { return ::rename(next_.c_str(), current_.c_str()); }); !r)
        return give_up(r.error());
    // The new generation is there by now; until it is, one in the clear may be all there is.
    if (ring_ && previous_is_clear()) {
        auto r = step("remove", previous_, [&] { return ::unlink(previous_.c_str()) == 0 || errno == ENOENT ? 0 : -1; });
        if (!r) return r.error();
    }
    if (auto r = step("fsync", folder, [&] { return ::fsync(dir.get()); }); !r) return r.error();
    return {};
}

/// A descriptor that holds the lock until it is closed. Of a file of its own, which nobody else may open: who can open a
/// directory, or any file, can lock it, and keep others waiting. It is never removed, or two would hold one each.
result<int> cache_files::lock() const {
    const auto failed = [this](error_code why) { return error{why, "lock " + lock_.native()}; };
    const int fd = ::open(lock_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (fd < 0) return failed(last_error());
    descriptor file(fd);
    struct stat about{};
    if (::fstat(fd, &about) != 0) return failed(last_error());
    if (!S_ISREG(about.st_mode)) return failed(errc::invalid_argument);
    if ((about.st_mode & 07777) != (S_IRUSR | S_IWUSR) && ::fchmod(fd, S_IRUSR | S_IWUSR) != 0) return failed(last_error());
    for (const auto until = std::chrono::steady_clock::now() + patience_;;) {
        error_code ec = before_step_ ? before_step_("lock") : error_code();
        if (!ec && again_if_interrupted([fd] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return file.release();
        if (!ec) ec = last_error();
        // Where the file system has no such lock, one path for one manager has to do.
        if (ec.value() == ENOLCK || ec.value() == EOPNOTSUPP || ec.value() == ENOSYS || ec.value() == EINVAL) return file.release();
        if (ec.value() != EWOULDBLOCK || std::chrono::steady_clock::now() >= until) return failed(ec);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

bool cache_files::previous_is_clear() const {
    const descriptor fd(::open(previous_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd) return false;
    std::array<std::uint8_t, 4096> start{};   // the header of a sealed one is far shorter
    const ssize_t n = again_if_interrupted([&] { return ::read(fd.get(), start.data(), start.size()); });
    return n > 0 && !begins_sealed(std::span(start).first(static_cast<std::size_t>(n)));
}

}  // namespace dynconf::detail
