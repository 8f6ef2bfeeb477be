// A holder whose whole process stands still for longer than its TTL. etcdctl is the one that comes after it.

#include "integration/lease_scene.hpp"
#include "support/child_process.hpp"
#include "support/etcdctl.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/election.hpp>
#include <dynconf/lock.hpp>

#include <boost/asio/use_future.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string name = "/locks/job", data = "/data";

/// test/integration/holder.cpp as a child, with the lines it has said.
class holder_program {
public:
    holder_program(const etcd_process& etcd, const std::string& what) : lines_(dir_.path() / "lines") {
        const int out = ::open(lines_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (out < 0) throw std::runtime_error("no file for the holder's lines");
        process_.emplace(std::vector<std::string>{DYNCONF_HOLDER, etcd.endpoint(), what, name, "2000", data},
                         child_process::streams{-1, out, 2}, environment_without("DYNCONF_"));
        ::close(out);
    }

    child_process& process() noexcept { return *process_; }
    strings lines() const {
        strings all;
        std::ifstream in(lines_);
        for (std::string line; std::getline(in, line);) all.push_back(line);
        return all;
    }
    std::size_t count(const std::string& line) const {
        const strings all = lines();
        return static_cast<std::size_t>(std::count(all.begin(), all.end(), line));
    }

private:
    scratch_dir dir_;
    std::filesystem::path lines_;
    std::optional<child_process> process_;
};

revision_t creation_of_only_key(const etcd_process& etcd) {
    const auto said = nlohmann::json::parse(etcd.raw("/v3/kv/range", R"({"key":"L2xvY2tzL2pvYi8=","range_end":"L2xvY2tzL2pvYjA="})").body);
    REQUIRE(said.value("count", "0") == "1");
    return std::stoll(said["kvs"][0]["create_revision"].get<std::string>());
}

}  // namespace

TEST_CASE("holder: a process that is stopped for longer than its TTL writes nothing more, and learns why", "[lock_holder]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    const std::string what = GENERATE(as<std::string>{}, "lock", "election");
    INFO(what);
    etcd_process etcd(binary);
    const etcd_admin admin(etcd);
    holder_program first(etcd, what);
    REQUIRE(becomes_true([&] { return first.count("wrote") >= 3; }));
    const strings so_far = first.lines();
    REQUIRE(so_far[0].rfind("held ", 0) == 0);
    const revision_t token = std::stoll(so_far[0].substr(5));
    CHECK(creation_of_only_key(etcd) == token);

    first.process().stop();
    const std::string own_key = admin.read(name).begin()->first;   // before the other one has its own, which may come first
    const strings theirs = what == "lock" ? strings{"lock", name} : strings{"elect", name, "theirs"};
    child_process second(etcdctl_command(binary, etcd, theirs), {}, etcdctl_environment());
    REQUIRE(becomes_true([&] {
        const auto keys = admin.read(name);
        return keys.size() == 1 && keys.begin()->first != own_key;
    }));
    CHECK(creation_of_only_key(etcd) > token);
    const auto before = admin.read(data).at(data);
    CHECK(before.value == "of the first");

    first.process().signal(SIGCONT);
    CHECK(first.process().wait(30s) == 0);
    const strings said = first.lines();
    INFO(said.back());
    REQUIRE(said.size() >= 4);
    const auto from_end = [&](std::size_t n) { return said[said.size() - n]; };
    CHECK(from_end(4).rfind("lost ", 0) == 0);
    CHECK(from_end(4).find("lease") != std::string::npos);
    CHECK(from_end(3) == "not valid");
    CHECK(from_end(2) == "late: refused");
    CHECK(from_end(1) == "lost before");
    CHECK(admin.read(data).at(data) == before);   // nothing of it came through
    CHECK(creation_of_only_key(etcd) > token);    // and the other one was left alone

    second.signal(SIGINT);
    CHECK(second.wait(10s));
    io_threads io(1);
    client c(io.get_executor(), hasty(etcd));
    held_lock third = mutex(c, name).lock(asio::use_future).get();
    CHECK(third.token() > token);
    third.unlock(asio::use_future).get();
    CHECK(keys_at(etcd, name) == 0);
}
