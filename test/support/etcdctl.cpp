#include "support/etcdctl.hpp"

#include <filesystem>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace dynconf::test {

std::string etcdctl_of(const etcd_binary& binary) {
    const auto path = std::filesystem::path(binary.path).parent_path() / "etcdctl";
    return std::filesystem::exists(path) ? path.string() : std::string();
}

std::vector<std::string> etcdctl_command(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments) {
    std::vector<std::string> argv{etcdctl_of(binary), "--endpoints=127.0.0.1:" + std::to_string(etcd.port())};
    argv.insert(argv.end(), std::make_move_iterator(arguments.begin()), std::make_move_iterator(arguments.end()));
    return argv;
}

std::vector<std::string> etcdctl_environment() {
    auto all = environment_without("ETCDCTL_");
    all.emplace_back("ETCDCTL_API=3");
    return all;
}

std::string etcdctl(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments) {
    const auto argv = etcdctl_command(binary, etcd, std::move(arguments));
    program_output done = run_program(argv, {}, etcdctl_environment());
    if (done.status != 0) throw std::runtime_error("etcdctl " + argv[2] + ": " + done.err + done.out);
    return std::move(done.out);
}

std::string etcdctl_says(const etcd_binary& binary, const etcd_process& etcd, std::vector<std::string> arguments, std::string_view user) {
    if (!user.empty()) arguments.insert(arguments.begin(), "--user=" + std::string(user));
    const program_output said = run_program(etcdctl_command(binary, etcd, std::move(arguments)), {}, etcdctl_environment());
    return said.out + said.err;
}

std::string hex(std::int64_t id) {
    std::ostringstream out;
    out << std::hex << id;
    return out.str();
}

}  // namespace dynconf::test
