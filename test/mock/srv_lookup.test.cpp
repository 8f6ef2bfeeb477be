#include "transport/srv_lookup.hpp"

#include "support/catch.hpp"
#include "support/dns_responder.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace dynconf;
using namespace dynconf::test;
using transport::look_up_srv;
using records = std::vector<policy::srv_record>;

namespace {

const std::string name = "_etcd-client._tcp.example.test";

/// What a name server that replies so comes to.
policy::srv_answer looked_up(const dns_reply& reply) {
    const dns_responder server([&](const std::string&) { return reply; });
    policy::srv_answer answer = look_up_srv(name, {server.address()});
    const std::vector<std::string> asked = server.asked();
    CHECK_FALSE(asked.empty());
    CHECK(std::all_of(asked.begin(), asked.end(), [](const std::string& n) { return n == name; }));   // no search list
    return answer;
}

}  // namespace

TEST_CASE("srv lookup: a name server's records", "[srv]") {
    const auto got = looked_up({0, {{1, 2, 3, "a.example.test"}, {0, 0, 0, "."}}});
    REQUIRE(got);
    CHECK(*got == records{{1, 2, 3, "a.example.test"}, {0, 0, 0, ""}});
}

TEST_CASE("srv lookup: more than a datagram holds comes by TCP", "[srv]") {
    dns_reply long_one;
    for (std::uint16_t i = 1; i <= 500; ++i) long_one.records.push_back({0, 0, i, "member-" + std::to_string(i) + ".example.test"});
    long_one.only_by_tcp = true;
    const dns_responder server([&](const std::string&) { return long_one; });
    const auto got = look_up_srv(name, {server.address()});
    REQUIRE(got);
    CHECK(got->size() == 500);
    CHECK(got->back().target == "member-500.example.test");
    CHECK(server.asked_by_tcp() == 1);
}

TEST_CASE("srv lookup: that there is none is an answer, and a failure is not", "[srv]") {
    for (const dns_reply& none : {no_such_name(), dns_reply{}}) {
        const auto got = looked_up(none);
        REQUIRE(got);
        CHECK(got->empty());
    }
    struct { dns_reply reply; const char* words; } rows[] = {{{2, {}}, "SERVFAIL"}, {{5, {}}, "REFUSED"}, {{1, {}}, "FORMERR"}, {{}, "no name server answers"}};
    rows[3].reply.silent = true;
    for (const auto& row : rows) {
        INFO(row.words);
        const auto got = looked_up(row.reply);
        REQUIRE(!got);
        INFO(got.error().message());
        CHECK(got.error().code == errc::discovery_failed);
        CHECK(got.error().detail.find(row.words) != std::string::npos);
    }
}

TEST_CASE("srv lookup: the next name server is asked where one fails", "[srv]") {
    for (const bool silent : {false, true}) {
        dns_reply bad{2, {}};
        bad.silent = silent;
        const dns_responder broken([&](const std::string&) { return bad; });
        const dns_responder good([](const std::string&) { return dns_reply{0, {{0, 0, 1, "a"}}}; });
        const auto got = look_up_srv(name, {broken.address(), good.address()});
        REQUIRE(got);
        CHECK(got->size() == 1);
        CHECK(broken.asked().size() == 1);
    }
}
