#include "integration/lease_scene.hpp"
#include "support/etcdctl.hpp"
#include "support/files.hpp"
#include "support/relay.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/election.hpp>

#include <boost/asio/use_future.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <optional>

using namespace dynconf;
using namespace dynconf::test;

namespace {

const std::string name = "/elections/search";

std::string value_of_leader(const std::optional<key_value>& leader) { return leader ? leader->value : "(none)"; }

bool nothing_left(const etcd_process& etcd) {
    return becomes_true([&] { return keys_at(etcd, name) == 0 && leases_at(etcd) == 0; }, 10s);
}

}  // namespace

TEST_CASE("election: campaign, proclaim, resign, and who observes sees each leader", "[election]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    io_threads io(2);
    client c(io.get_executor(), hasty(etcd));
    election e(c, name);
    leader_observer observer(c, name);
    CHECK_FALSE(e.leader(asio::use_future).get());
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "(none)");

    auto first = e.campaign("one", asio::use_future).get();
    CHECK(first.valid());
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "one");
    const auto leader = e.leader(asio::use_future).get();
    REQUIRE(leader);
    CHECK(leader->key == first.key());
    CHECK(leader->key == name + "/" + hex(first.lease()));
    CHECK(leader->create_revision == first.token());

    auto second_campaign = e.campaign("two", asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
    auto news = observer.next(asio::use_future);
    first.proclaim("one and a half", asio::use_future).get();
    CHECK(value_of_leader(news.get()) == "one and a half");
    CHECK(first.token() == e.leader(asio::use_future).get()->create_revision);

    news = observer.next(asio::use_future);
    CHECK(second_campaign.wait_for(0s) != std::future_status::ready);
    first.resign(asio::use_future).get();
    CHECK(keys_at(etcd, name) == 1);   // at once, not when its time is up
    auto second = second_campaign.get();
    CHECK(value_of_leader(news.get()) == "two");
    CHECK(second.token() > leader->create_revision);
    CHECK_THROWS(first.proclaim("late", asio::use_future).get());

    news = observer.next(asio::use_future);
    revoke_at(etcd, second.lease());
    CHECK(value_of_leader(news.get()) == "(none)");
    const auto lost = second.lost(asio::use_future).get();
    CHECK(lost.cause == errc::lease_revoked);
    CHECK_THROWS(second.proclaim("late", asio::use_future).get());
    CHECK(nothing_left(etcd));
}

TEST_CASE("election: etcdctl elect stands in the same one", "[election]") {
    FOR_EACH_ETCD(binary);
    REQUIRE_ETCDCTL(binary);
    etcd_process etcd(binary);
    io_threads io(1);
    client c(io.get_executor(), hasty(etcd));
    election e(c, name);
    leader_observer observer(c, name);
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "(none)");
    // Interrupted before it has said that it leads, etcdctl leaves its key to the lease.
    const scratch_dir dir;
    const auto said = dir.path() / "said";
    const int out = ::open(said.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    REQUIRE(out >= 0);
    const auto says = [&](std::string_view value) { return becomes_true([&] { return text_of(said.native()).find(value) != std::string::npos; }); };
    child_process theirs(etcdctl_command(binary, etcd, {"elect", name, "theirs"}), {.out = out}, etcdctl_environment());
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "theirs");
    auto campaign = e.campaign("ours", asio::use_future);
    REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
    CHECK(campaign.wait_for(0s) != std::future_status::ready);
    REQUIRE(says("theirs"));
    theirs.signal(SIGINT);
    auto ours = campaign.get();
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "ours");

    child_process again(etcdctl_command(binary, etcd, {"elect", name, "theirs again"}), {.out = out}, etcdctl_environment());
    ::close(out);
    REQUIRE(becomes_true([&] { return keys_at(etcd, name) == 2; }));
    CHECK(value_of_leader(e.leader(asio::use_future).get()) == "ours");
    ours.resign(asio::use_future).get();
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "theirs again");
    REQUIRE(says("theirs again"));
    again.signal(SIGINT);
    CHECK(becomes_true([&] { return keys_at(etcd, name) == 0; }));
}

TEST_CASE("election: who observes sees what happened while the wire was broken, and while history was compacted", "[election]") {
    FOR_EACH_ETCD(binary);
    etcd_process etcd(binary);
    relay wire(etcd.port());
    io_threads io(1);
    client far(io.get_executor(), hasty({wire.endpoint()})), near(io.get_executor(), hasty(etcd));
    election e(near, name);
    leader_observer observer(far, name);
    CHECK(value_of_leader(observer.next(asio::use_future).get()) == "(none)");
    auto news = observer.next(asio::use_future);
    wire.cut();
    auto leads = e.campaign("a", asio::use_future).get();
    leads.proclaim("b", asio::use_future).get();
    etcd_admin(etcd).compact(etcd_admin(etcd).revision());
    wire.mend();
    CHECK(value_of_leader(news.get()) == "b");
    news = observer.next(asio::use_future);
    leads.resign(asio::use_future).get();
    CHECK(value_of_leader(news.get()) == "(none)");
    CHECK(nothing_left(etcd));
}
