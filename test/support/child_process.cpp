#include "support/child_process.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace dynconf::test {

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

/// Between fork and exec only what is safe in a signal handler may be called.
[[noreturn]] void become(
    char* const* argv, char* const* environment, const child_process::streams& io, pid_t parent) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // died before the line above
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const std::array<int, 3> given{io.in, io.out, io.err};
    // Above 2 first: a given descriptor may be one that is about to be replaced. The copies close on exec.
    std::array<int, 3> safe{};
    for (std::size_t i = 0; i < given.size(); ++i)
        safe[i] = ::fcntl(given[i] < 0 ? null : given[i], F_DUPFD_CLOEXEC, 3);
    for (std::size_t i = 0; i < given.size(); ++i) ::dup2(safe[i], static_cast<int>(i));
    // Asio's sockets do not close on exec, and a relay's that lived on in a server would never be closed.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvpe(argv[0], argv, environment);
    ::_exit(127);
}

/// An anonymous file: holds any amount of output without anyone reading meanwhile.
class memory_file {
public:
    memory_file() : fd_(::memfd_create("dynconf-test", MFD_CLOEXEC)) {
        if (fd_ < 0) fail("memfd_create");
    }
    explicit memory_file(std::string_view content) : memory_file() {
        while (!content.empty()) {
            const auto n = ::write(fd_, content.data(), content.size());
            if (n < 0) fail("write");
            content.remove_prefix(static_cast<std::size_t>(n));
        }
        ::lseek(fd_, 0, SEEK_SET);
    }
    memory_file(const memory_file&) = delete;
    memory_file& operator=(const memory_file&) = delete;
    ~memory_file() { ::close(fd_); }

    int fd() const noexcept { return fd_; }

    std::string content() const {
        std::string all;
        std::array<char, 65536> piece;
        for (;;) {
            const auto n = ::pread(fd_, piece.data(), piece.size(), static_cast<off_t>(all.size()));
            if (n < 0) fail("pread");
            if (n == 0) return all;
            all.append(piece.data(), static_cast<std::size_t>(n));
        }
    }

private:
    int fd_;
};

}  // namespace

child_process::child_process(const std::vector<std::string>& argv, streams io, std::vector<std::string> environment) {
    std::vector<std::string> arguments = argv;
    const std::vector<char*> argument_list = pointers(arguments);
    const std::vector<char*> environment_list = pointers(environment);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) fail("fork");
    if (pid_ == 0) become(argument_list.data(), environment_list.data(), io, parent);
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

child_process& child_process::operator=(child_process&& other) noexcept {
    if (this != &other) {
        kill();
        pid_ = std::exchange(other.pid_, -1);
        status_ = other.status_;
    }
    return *this;
}

child_process::~child_process() { kill(); }

bool child_process::running() noexcept { return !wait(std::chrono::seconds(0)); }

void child_process::signal(int number) noexcept {
    if (pid_ > 0) ::kill(pid_, number);
}

void child_process::stop() noexcept {
    if (pid_ <= 0) return;
    signal(SIGSTOP);
    siginfo_t ignored{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &ignored, WSTOPPED | WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
}

std::optional<int> child_process::wait(std::chrono::steady_clock::duration limit) noexcept {
    const auto due = std::chrono::steady_clock::now() + limit;
    while (pid_ > 0) {
        int status = 0;
        const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
        if (reaped == pid_) {
            pid_ = -1;
            status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            break;
        }
        if (reaped < 0 && errno != EINTR) {
            pid_ = -1;
            status_ = 127;
            break;
        }
        if (std::chrono::steady_clock::now() >= due) return std::nullopt;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return status_;
}

void child_process::kill() noexcept {
    signal(SIGKILL);
    wait(std::chrono::minutes(1));
}

std::vector<std::string> environment_without(std::string_view prefix) {
    std::vector<std::string> kept;
    for (char** variable = environ; *variable; ++variable)
        if (!std::string_view(*variable).starts_with(prefix)) kept.emplace_back(*variable);
    return kept;
}

program_output run_program(const std::vector<std::string>& argv, std::string_view input,
    std::vector<std::string> environment, std::chrono::steady_clock::duration limit) {
    const memory_file in(input);
    const memory_file out;
    const memory_file err;
    child_process program(argv, {in.fd(), out.fd(), err.fd()}, std::move(environment));
    const auto status = program.wait(limit);
    if (!status) program.kill();
    return {status.value_or(-1), out.content(), err.content()};
}

}  // namespace dynconf::test
