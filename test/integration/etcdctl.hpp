#pragma once

// etcd's own client as the witness.

#include "support/child_process.hpp"
#include "support/etcd_process.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// What etcdctl of the same version says, on both of its outputs. `user`: "name:password".
inline std::string etcdctl(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> words, std::string_view user = {}) {
    std::vector<std::string> command = {(std::filesystem::path(binary.path).parent_path() / "etcdctl").string(), "--endpoints=" + etcd.endpoint()};
    if (!user.empty()) command.push_back("--user=" + std::string(user));
    command.insert(command.end(), words.begin(), words.end());
    std::vector<std::string> environment = environment_without("ETCDCTL_");
    environment.emplace_back("ETCDCTL_API=3");
    const program_output said = run_program(command, {}, environment);
    return said.out + said.err;
}

inline bool has(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

}  // namespace dynconf::test
