#pragma once

#include "support/child_process.hpp"
#include "support/etcd_process.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// The etcdctl that belongs to an etcd: a witness that shares no code with the library. Empty where there is none.
std::string etcdctl_of(const etcd_binary& binary);

/// The command line for this member; to be run with etcdctl_environment().
std::vector<std::string> etcdctl_command(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments);
std::vector<std::string> etcdctl_environment();

/// Runs it to its end and gives what it prints; throws when it fails.
std::string etcdctl(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments);

/// Runs it to its end and gives all that it prints, whether it fails or not. `user`: "name:password".
std::string etcdctl_says(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments, std::string_view user = {});

inline bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

/// As etcdctl and Go's concurrency package write a lease.
std::string hex(std::int64_t id);

}  // namespace dynconf::test

/// Skips the running test case where the etcd has no etcdctl beside it.
#define REQUIRE_ETCDCTL(binary)                                                                             \
    do {                                                                                                    \
        if (::dynconf::test::etcdctl_of(binary).empty()) SKIP_CASE("no etcdctl beside " + (binary).path);   \
    } while (false)
