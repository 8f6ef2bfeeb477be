#include "mock/call_scene.hpp"
#include "support/scratch_dir.hpp"

#include <dynconf/maintenance.hpp>

#include "etcd/capabilities.hpp"
#include "etcd/snapshot_file.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>

using namespace dynconf;
using etcd::snapshot_file;

namespace {

// printf abc | sha256sum
const std::string abc_digest(
    "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad", 32);

/// What was made there, whole or not; the folder has a lock of its own.
std::size_t files_in(const std::filesystem::path& folder) {
    const auto is_ours = [](const std::filesystem::directory_entry& e) { return e.path().filename().native().find("db") != std::string::npos; };
    return static_cast<std::size_t>(std::count_if(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator(), is_ours));
}

struct told { std::uint64_t self, leader, term; };

cluster_status of(std::initializer_list<told> members) {
    cluster_status all;
    for (const told& t : members) {
        endpoint_status e{std::to_string(t.self), status_response{}};
        e.status->header.member_id = t.self;
        e.status->leader = t.leader;
        e.status->raft_term = t.term;
        all.endpoints.push_back(std::move(e));
    }
    return all;
}

}  // namespace

TEST_CASE("a snapshot file appears when its checksum fits, however it came") {
    const dynconf::test::scratch_dir dir;
    const std::filesystem::path path = dir.path() / "db";
    const std::string whole = "abc" + abc_digest;
    for (std::size_t piece = 1; piece <= whole.size(); ++piece) {
        auto file = snapshot_file::create(path);
        REQUIRE(file);
        for (std::size_t at = 0; at < whole.size(); at += piece) REQUIRE((*file)->write(std::string_view(whole).substr(at, piece)));
        CHECK_FALSE(std::filesystem::exists(path));
        REQUIRE((*file)->seal());
        CHECK_FALSE(std::filesystem::exists(path));
        REQUIRE((*file)->publish());
        CHECK((*file)->size() == whole.size());
        file->reset();
        CHECK(std::filesystem::file_size(path) == whole.size());
        CHECK(files_in(dir.path()) == 1);
        std::filesystem::remove(path);
    }
}

TEST_CASE("a snapshot file with another checksum, or without one, is removed") {
    const dynconf::test::scratch_dir dir;
    const std::filesystem::path path = dir.path() / "db";
    std::string flipped = "abc" + abc_digest;
    flipped[0] ^= 1;
    const std::string short_of_one = ("abc" + abc_digest).substr(0, 34);
    for (const std::string& content : {flipped, short_of_one, abc_digest, std::string("abc"), std::string()}) {
        {
            auto file = snapshot_file::create(path);
            REQUIRE(file);
            REQUIRE((*file)->write(content));
            const auto done = (*file)->seal();
            REQUIRE_FALSE(done);
            CHECK(done.error().code == errc::malformed_response);
            CHECK(done.error().detail.find("checksum") != std::string::npos);
        }
        CHECK(files_in(dir.path()) == 0);
    }
}

TEST_CASE("the true leader is the one of the newest term that has one") {
    CHECK(of({}).leader() == 0);
    CHECK(of({}).leader_endpoint() == nullptr);
    CHECK(of({{1, 2, 5}, {2, 2, 5}, {3, 2, 5}}).leader() == 2);
    // 1 was cut off while it led
    const cluster_status cut_off = of({{1, 1, 5}, {2, 3, 6}, {3, 3, 6}});
    CHECK(cut_off.leader() == 3);
    REQUIRE(cut_off.leader_endpoint());
    CHECK(cut_off.leader_endpoint()->endpoint == "3");
    // 1 campaigns in vain, term after term
    CHECK(of({{1, 0, 9}, {2, 3, 6}, {3, 3, 6}}).leader() == 3);
    // it answers to none of the endpoints
    CHECK(of({{1, 7, 6}, {2, 7, 6}}).leader() == 7);
    CHECK(of({{1, 7, 6}, {2, 7, 6}}).leader_endpoint() == nullptr);
    cluster_status silent = of({{1, 1, 5}});
    silent.endpoints.push_back({"2", error{errc::deadline_exceeded, {}}});
    CHECK(silent.leader() == 1);
    CHECK(of({{1, 0, 5}}).leader() == 0);
}

TEST_CASE("a cancelled downgrade is one, whichever of two tries did it") {
    using namespace dynconf::test;
    const auto refusal = [](const gateway_request&) { return json(fault(9, "etcdserver: no inflight downgrade job"), 400); };
    const auto done = [](const gateway_request&) { return json("{" + header(7) + ",\"version\":\"3.5.0\"}"); };
    for (const bool by_the_first : {true, false}) {
        INFO(by_the_first);
        fake_gateway gateway;
        gateway.on("/v3/maintenance/downgrade", [&](const auto& r) { return r.number == 1 ? hang_up() : by_the_first ? refusal(r) : done(r); });
        with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
            maintenance admin(c);
            const downgrade_response answer = co_await admin.downgrade_cancel();
            CHECK(answer.version == (by_the_first ? "" : "3.5.0"));
        });
        CHECK(gateway.count("/v3/maintenance/downgrade") == 2);
    }
    fake_gateway gateway;   // and where nobody knows
    gateway.on("/v3/maintenance/downgrade", [](const auto&) { return hang_up(); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        maintenance admin(c);
        const auto cancel = [&]() -> asio::awaitable<void> { co_await admin.downgrade_cancel(); };
        const error unknown = co_await failure_of(cancel);
        CHECK(unknown.in_doubt);
    });
}

TEST_CASE("no leader is moved where no endpoint says who leads") {
    using namespace dynconf::test;
    fake_gateway gateway;
    gateway.on("/v3/maintenance/status", [](const auto&) { return hang_up(); });
    with_client(options_for({gateway.url()}), [&](client& c) -> asio::awaitable<void> {
        maintenance m(c);
        auto [ec] = co_await m.move_leader(7, asio::as_tuple(asio::use_awaitable));
        CHECK(ec == errc::no_endpoint_available);
        CHECK(gateway.count("/v3/maintenance/transfer-leadership") == 0);
    });
}

TEST_CASE("a token shows of which kind it is") {
    using kind = endpoint_capabilities::token_kind;
    CHECK(etcd::kind_of_token("tvbeuCzmrzUehLDw.13") == kind::simple);
    CHECK(etcd::kind_of_token("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2ln") == kind::jwt);
    for (const char* text : {"", ".", "a.", ".1", "abc", "a.b", "a.1.2", "eyJ.1x"}) CHECK(etcd::kind_of_token(text) == kind::unknown);
}
