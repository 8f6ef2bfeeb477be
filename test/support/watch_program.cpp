#include "support/watch_program.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <system_error>
#include <utility>

namespace dynconf::test {

using nlohmann::json;
using clock = std::chrono::steady_clock;

watch_program::watch_program(const std::string& tool, std::vector<std::string> arguments) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
    std::vector<std::string> command{tool, "watch", "--json"};
    command.insert(command.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
    process_.emplace(command, child_process::streams{-1, ends[1], 2}, environment_without("DYNCONF_"));
    ::close(ends[1]);
    reader_ = std::thread([this, from = ends[0]] { read(from); });
}

watch_program::~watch_program() {
    process_->kill();
    if (reader_.joinable()) reader_.join();
}

std::vector<watch_program::line> watch_program::lines() const { return lines_from(0); }

std::vector<watch_program::line> watch_program::lines_from(std::size_t first) const {
    const std::lock_guard lock(mutex_);
    return {lines_.begin() + static_cast<std::ptrdiff_t>(std::min(first, lines_.size())), lines_.end()};
}

std::optional<int> watch_program::end(clock::duration limit) {
    process_->signal(SIGTERM);
    auto status = process_->wait(limit);
    process_->kill();
    if (reader_.joinable()) reader_.join();
    return status;
}

bool watch_program::await(const std::string& type, std::int64_t revision, clock::duration limit) const {
    const auto due = clock::now() + limit;
    for (std::size_t next = 0;;) {
        for (const line& l : lines_from(next)) {
            ++next;
            const json object = json::parse(l.text);
            if ((type.empty() || object.at("type") == type) && object.value("revision", std::int64_t{0}) >= revision)
                return true;
        }
        if (clock::now() >= due) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

bool watch_program::await_state(const std::string& state, clock::duration limit) const {
    const auto due = clock::now() + limit;
    std::string last;
    for (std::size_t next = 0;;) {
        for (const line& l : lines_from(next)) {
            ++next;
            const json object = json::parse(l.text);
            if (object.at("type") == "state") last = object.at("state");
        }
        if (last == state) return true;
        if (clock::now() >= due) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
}

void watch_program::read(int from) {
    std::string rest;
    char piece[65536];
    for (;;) {
        const auto n = ::read(from, piece, sizeof piece);
        if (n <= 0) break;
        const auto now = clock::now();
        rest.append(piece, static_cast<std::size_t>(n));
        const std::lock_guard lock(mutex_);
        std::size_t start = 0;
        for (std::size_t end; (end = rest.find('\n', start)) != std::string::npos; start = end + 1)
            lines_.push_back({now, rest.substr(start, end - start)});
        rest.erase(0, start);
    }
    ::close(from);
    const std::lock_guard lock(mutex_);
    if (!rest.empty()) lines_.push_back({clock::now(), rest});   // a line that was cut: it will not parse
}

}  // namespace dynconf::test
