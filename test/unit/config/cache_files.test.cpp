#include "config/cache_files.hpp"

#include "support/catch.hpp"
#include "support/scratch_dir.hpp"
#include "unit/config/cache_copy.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using namespace dynconf::detail;
namespace fs = std::filesystem;

namespace {

policy::cache_demands demands() {
    policy::cache_demands want;
    want.ranges = small_copy().ranges;
    want.now = small_copy().as_of + std::chrono::hours(1);
    return want;
}

revision_t revision_on(const cache_files& files) { return files.read(demands()).found.revision; }

/// Larger than one system call of a write.
cache_bytes large(revision_t revision) {
    cache_copy c = small_copy(revision);
    c.content.keys.push_back(kept("/app/large", kept_key::text{std::string(std::size_t{3} << 20, 'x'), 1}));
    return encode_cache(c);
}

mode_t mode_of(const fs::path& path) {
    struct stat about{};
    REQUIRE(::lstat(path.c_str(), &about) == 0);
    return about.st_mode & 07777;
}

void put(const fs::path& path, const cache_bytes& bytes, mode_t mode = 0600) {
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(::chmod(path.c_str(), mode) == 0);
}

/// How a child ends that does only this.
int child(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    return status;
}

}  // namespace

TEST_CASE("a copy on disk is its owner's alone, whatever the umask", "[cache]") {
    for (const mode_t mask : {0000u, 0022u, 0077u, 0777u}) {
        INFO(mask);
        const scratch_dir dir;
        const cache_files files(dir.path() / "copy");
        const mode_t before = ::umask(mask);
        const bool written = files.write(encode_cache(small_copy(1)), false) && files.write(encode_cache(small_copy(2)), true);
        ::umask(before);
        CHECK(written);
        CHECK(mode_of(files.current()) == 0600);
        CHECK(mode_of(files.previous()) == 0600);
        CHECK_FALSE(fs::exists(dir.path() / "copy.new"));
        CHECK(revision_on(files) == 2);
    }
}

TEST_CASE("a copy is never open to others, not for a moment", "[cache]") {
    const scratch_dir dir;
    const fs::path next = dir.path() / "copy.new";
    const mode_t before = ::umask(0);
    int seen = 0;
    const cache_files files(dir.path() / "copy", [&](std::string_view) -> error_code {
        struct stat about{};
        if (::lstat(next.c_str(), &about) == 0) {
            ++seen;
            CHECK((about.st_mode & 07777) == 0600);
        }
        return {};
    });
    CHECK(files.write(large(1), false));
    ::umask(before);
    CHECK(seen > 4);
}

TEST_CASE("killed at any step of a write, a whole copy is there", "[cache]") {
    for (const bool rotate : {false, true}) {
        int steps = 0;
        for (int n = 1;; ++n) {
            INFO("killed at step " << n << ", rotate " << rotate);
            const scratch_dir dir;
            const fs::path path = dir.path() / "copy";
            const cache_files whole(path);
            REQUIRE(whole.write(large(1), false));
            REQUIRE(whole.write(large(2), true));
            int at = 0;
            const int status = child([&] {
                const cache_files mortal(path, [&](std::string_view) -> error_code {
                    if (++at == n) ::raise(SIGKILL);
                    return {};
                });
                if (!mortal.write(large(3), rotate)) ::_exit(1);
            });
            const revision_t found = revision_on(whole);
            if (WIFEXITED(status)) {
                CHECK(WEXITSTATUS(status) == 0);
                CHECK(found == 3);
                break;
            }
            REQUIRE(WTERMSIG(status) == SIGKILL);
            ++steps;
            CHECK((found == 2 || found == 3));
            // and the next write works, as a start does it that has found this
            policy::cache_generations g;
            g.found(whole.read(demands()).found.current);
            CHECK(whole.write(large(4), g.may_rotate()));
            CHECK(revision_on(whole) == 4);
            CHECK_FALSE(fs::exists(dir.path() / "copy.new"));
        }
        CHECK(steps >= (rotate ? 10 : 9));
    }
}

TEST_CASE("a write that fails at any step leaves a whole copy, and nothing else behind", "[cache]") {
    const error_code no_space = boost::system::errc::make_error_code(boost::system::errc::no_space_on_device);
    for (const bool rotate : {false, true}) {
        for (int n = 1, at = 0, end = 1; n <= end; ++n, at = 0) {
            INFO("failing at step " << n << ", rotate " << rotate);
            const scratch_dir dir;
            std::string failed_at;
            const cache_files files(dir.path() / "copy");
            REQUIRE(files.write(large(1), false));
            const cache_files failing(dir.path() / "copy", [&](std::string_view step) -> error_code {
                end = std::max(end, ++at);
                if (at != n) return {};
                failed_at = step;
                return no_space;
            });
            const auto done = failing.write(large(2), rotate);
            const revision_t found = revision_on(files);
            CHECK((found == 1 || found == 2));
            REQUIRE_FALSE(done);
            CHECK(done.error().code == no_space);
            CHECK(done.error().detail.find(failed_at) != std::string::npos);
            if (failed_at != "remove") CHECK_FALSE(fs::exists(dir.path() / "copy.new"));
        }
    }
}

TEST_CASE("writers take turns by a lock that is their own, and none waits for ever", "[cache]") {
    const scratch_dir dir;
    const fs::path path = dir.path() / "copy", lock = dir.path() / "copy.lock";
    const cache_bytes bytes = encode_cache(small_copy(1));
    const auto held = [](const fs::path& what) {
        const int fd = ::open(what.c_str(), O_RDONLY | O_CLOEXEC);
        REQUIRE(::flock(fd, LOCK_EX | LOCK_NB) == 0);
        return fd;
    };
    // Who may open the directory may lock it, and has no part in this.
    const int directory = held(dir.path());
    CHECK(cache_files(path).write(bytes, false));
    ::close(directory);
    CHECK(mode_of(lock) == 0600);

    const int other = held(lock);
    const auto late = cache_files(path, {}, std::nullopt, std::chrono::milliseconds(25)).write(bytes, false);
    REQUIRE_FALSE(late);
    CHECK(late.error().code == boost::system::errc::operation_would_block);
    CHECK(late.error().detail.find(lock.native()) != std::string::npos);
    int tries = 0;
    const cache_files next(path, [&](std::string_view step) -> error_code {
        if (step == "lock" && ++tries == 3) ::close(other);
        return {};
    });
    CHECK(next.write(bytes, false));
    CHECK(tries == 3);

    // A file system without locks, and something else in the place of the lock.
    const cache_files without(path, [](std::string_view step) {
        return step == "lock" ? make_error_code(boost::system::errc::no_lock_available) : error_code();
    });
    CHECK(without.write(bytes, false));
    fs::remove(lock);
    fs::create_symlink("copy", lock);
    CHECK_FALSE(cache_files(path).write(bytes, false));
    fs::remove(lock);
    REQUIRE(::mkfifo(lock.c_str(), 0600) == 0);
    CHECK_FALSE(cache_files(path).write(bytes, false));
}

TEST_CASE("a full disk is an error with a reason", "[cache]") {
    const scratch_dir dir;
    const cache_files files(dir.path() / "copy");
    REQUIRE(files.write(encode_cache(small_copy(1)), false));
    const int status = child([&] {
        ::signal(SIGXFSZ, SIG_IGN);   // as in the thread that writes
        rlimit limit{1 << 20, 1 << 20};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const auto done = files.write(large(2), true);
        ::_exit(!done && done.error().code == boost::system::errc::file_too_large ? 0 : 1);
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(revision_on(files) == 1);
    CHECK_FALSE(fs::exists(dir.path() / "copy.new"));
}

TEST_CASE("where nothing can be written, the error says where", "[cache]") {
    const scratch_dir dir;
    put(dir.path() / "file", {1});
    fs::create_directory(dir.path() / "taken");
    struct row { fs::path path; boost::system::errc::errc_t code; };
    const row table[] = {
        {dir.path() / "missing" / "copy", boost::system::errc::no_such_file_or_directory},
        {dir.path() / "file" / "copy", boost::system::errc::not_a_directory},
        {dir.path() / "taken", boost::system::errc::is_a_directory},
        {"/proc/no/copy", boost::system::errc::no_such_file_or_directory},
    };
    for (const row& r : table) {
        INFO(r.path);
        const auto done = cache_files(r.path).write(encode_cache(small_copy()), false);
        REQUIRE_FALSE(done);
        CHECK(done.error().code == r.code);
        CHECK(done.error().detail.find(r.path.parent_path().native()) != std::string::npos);
    }
}

TEST_CASE("which file is used, and why another is not", "[cache]") {
    const cache_bytes good = encode_cache(small_copy(2));
    const cache_bytes older = encode_cache(small_copy(1));
    cache_bytes cut = good;
    cut.pop_back();
    cache_copy elsewhere = small_copy(3);
    elsewhere.ranges = {key_range::prefix("/other/")};
    cache_copy ancient = small_copy(3);
    ancient.as_of -= std::chrono::hours(24 * 365);
    cache_copy tomorrow = small_copy(3);
    tomorrow.as_of += std::chrono::hours(24);
    using v = cache_verdict;
    struct row { const char* what; std::function<void(const fs::path&)> make; v expected; };
    const row table[] = {
        {"none", [](const fs::path&) {}, v::missing},
        {"a good one", [&](const fs::path& p) { put(p, good); }, v::usable},
        {"an empty one", [&](const fs::path& p) { put(p, {}); }, v::damaged},
        {"a damaged one", [&](const fs::path& p) { put(p, cut); }, v::damaged},
        {"another root", [&](const fs::path& p) { put(p, encode_cache(elsewhere)); }, v::other_ranges},
        {"an old one", [&](const fs::path& p) { put(p, encode_cache(ancient)); }, v::too_old},
        {"one from the future", [&](const fs::path& p) { put(p, encode_cache(tomorrow)); }, v::usable},
        {"the group may read", [&](const fs::path& p) { put(p, good, 0640); }, v::not_private},
        {"the group may write", [&](const fs::path& p) { put(p, good, 0620); }, v::not_private},
        {"all may read", [&](const fs::path& p) { put(p, good, 0604); }, v::not_private},
        {"all may write", [&](const fs::path& p) { put(p, good, 0602); }, v::not_private},
        {"a directory", [](const fs::path& p) { fs::create_directory(p); }, v::unreadable},
        {"a link", [&](const fs::path& p) { put(p.string() + "-real", good); fs::create_symlink(p.string() + "-real", p); }, v::unreadable},
        {"a pipe without an end", [](const fs::path& p) { REQUIRE(::mkfifo(p.c_str(), 0600) == 0); }, v::unreadable},
    };
    for (const row& r : table) {
        INFO(r.what);
        const scratch_dir dir;
        const cache_files files(dir.path() / "copy");
        put(files.previous(), older);
        r.make(files.current());
        policy::cache_demands want = demands();
        want.max_age = std::chrono::hours(48);
        const auto [found, copy] = files.read(want);
        CHECK(to_string(found.current) == to_string(r.expected));
        const bool usable = r.expected == v::usable;
        CHECK(found.previous == (usable ? v::not_read : v::usable));
        CHECK(found.revision == (usable ? copy.content.revision : 1));
        CHECK(found.used());
        CHECK(static_cast<bool>(found.cause.code) == (!usable && r.expected != v::missing));
        CHECK(found.cause.detail.find("value") == std::string::npos);
        CHECK(found.clock_went_back == (std::string_view(r.what) == "one from the future"));
        fs::remove(files.previous());
        CHECK(files.read(want).found.used() == usable);
    }
    if (::geteuid() == 0) {
        const scratch_dir dir;
        const cache_files files(dir.path() / "copy");
        put(files.current(), good);
        REQUIRE(::chown(files.current().c_str(), 1, 1) == 0);
        CHECK(files.read(demands()).found.current == v::not_private);
    }
}

TEST_CASE("a reader tells when it waits for the disk, and that it does not while it makes sense of a copy", "[cache]") {
    const scratch_dir dir;
    const cache_files files(dir.path() / "copy");
    REQUIRE(files.write(large(1), false));
    std::string told;
    const auto note = [&told](bool asked) { told += asked ? 'd' : '-'; };
    CHECK(files.read(demands(), note).found.current == cache_verdict::usable);
    CHECK(told == "dddddd-");   // to open it, four pieces and the end
    told.clear();
    put(files.current(), {1, 2, 3});
    CHECK(files.read(demands(), note).found.previous == cache_verdict::missing);
    CHECK(told == "ddd-d");
}
