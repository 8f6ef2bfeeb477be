// A look at a cluster as its operator: what each endpoint can do, who leads, who is a member, and a verified snapshot of it
// all. Set EtcdSettings__HostName; the first argument is the snapshot's file.

#include <dynconf/dynconf.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <iostream>
#include <string>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> look(std::filesystem::path file) {
    const auto executor = co_await asio::this_coro::executor;
    dynconf::client_options options;
    const auto settings = dynconf::settings::from_environment();
    if (settings.endpoints) options.endpoints = *settings.endpoints;
    dynconf::client etcd(executor, options);
    dynconf::maintenance maintenance(etcd);

    const dynconf::capability_report able = co_await maintenance.probe();
    std::cout << able.text();

    const dynconf::cluster_status status = co_await maintenance.status_of_each();
    if (const dynconf::endpoint_status* leader = status.leader_endpoint())
        std::cout << "leader at " << leader->endpoint << ", " << leader->status->db_size << " bytes" << std::endl;
    const auto health = co_await maintenance.health_of_each();
    for (const dynconf::endpoint_health& e : health)
        std::cout << e.endpoint << (e.healthy() ? " is healthy" : " is not healthy: " + e.cause.message()) << std::endl;

    dynconf::cluster cluster(etcd);
    const dynconf::member_list_response list = co_await cluster.member_list();
    for (const dynconf::member& m : list.members)
        std::cout << "member " << m.name << (m.is_learner ? ", a learner" : "") << std::endl;

    dynconf::auth auth(etcd);
    const dynconf::auth_status access = co_await auth.status();
    std::cout << "authentication is " << (access.enabled ? "on" : "off") << std::endl;

    const std::int64_t keys = co_await maintenance.key_count(dynconf::key_range::all());
    const dynconf::snapshot_response copy = co_await maintenance.snapshot(file);
    std::cout << keys << " keys, " << copy.bytes << " bytes in " << file.native() << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    const std::filesystem::path file = argc > 1 ? argv[1] : "snapshot.db";
    asio::io_context io;
    int exit_code = 0;
    asio::co_spawn(io, look(file), [&exit_code](std::exception_ptr failed) {
        if (!failed) return;
        std::cerr << "cluster: " << dynconf::to_error(failed).message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
