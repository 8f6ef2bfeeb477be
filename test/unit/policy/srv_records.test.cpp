#include "policy/srv_records.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace dynconf;
using policy::find_srv;
using policy::in_order;
using policy::srv_answer;
using policy::srv_names;
using policy::srv_record;
using policy::srv_terms;
using records = std::vector<srv_record>;

namespace {

std::string targets(const records& all) {
    std::string out;
    for (const srv_record& r : all) out += r.target;
    return out;
}

/// Draws these numbers, one after the other.
policy::random_source drawing(std::vector<double> numbers) {
    return [numbers = std::move(numbers), next = std::size_t{0}]() mutable { return numbers.at(next++); };
}

}  // namespace

TEST_CASE("srv: the names are those of etcd's own client", "[policy][srv]") {
    const srv_names bare("example.com.", "");
    CHECK(bare.domain == "example.com");
    CHECK(bare.secure == "_etcd-client-ssl._tcp.example.com");
    CHECK(bare.plain == "_etcd-client._tcp.example.com");
    const srv_names named("example.com", "blue");
    CHECK(named.secure == "_etcd-client-ssl-blue._tcp.example.com");
    CHECK(named.plain == "_etcd-client-blue._tcp.example.com");
}

TEST_CASE("srv: which service is asked, and what its answer comes to", "[policy][srv]") {
    const records some{{0, 0, 2379, "a"}}, none, away{{0, 0, 0, ""}}, part{{0, 0, 0, ""}, {0, 0, 2379, "b"}};
    const error servfail{errc::discovery_failed, "SERVFAIL"};
    const records inside{{0, 0, 1, "a.D"}, {0, 0, 1, "d"}}, mixed{{0, 0, 1, "evil"}, {0, 0, 1, "x.y.d"}, {0, 0, 1, "evild"}},
        outside{{0, 0, 0, ""}, {0, 0, 1, "d.evil"}};
    srv_terms any, https_only, login, plain_all_the_same, in_domain;
    https_only.https_only = true;
    login.protects = "auth";
    plain_all_the_same.protects = "auth";
    plain_all_the_same.allow_plain = true;
    in_domain.in_domain = true;
    struct {
        const char* what;
        srv_answer secure;
        srv_answer plain;
        srv_terms terms;
        std::size_t asked;
        const char* found;   // "s:" or "p:" and the targets, behind "-" those left out; else words of the error
    } const rows[] = {
        {"https is preferred, and plain not even asked for", some, some, any, 1, "s:a-"},
        {"no secure service", none, some, any, 2, "p:a-"},
        {"the secure service is said not to be there", away, some, any, 2, "p:a-"},
        {"one of its records says nothing", part, some, any, 1, "s:b-"},
        {"no downgrade because of a failure", servfail, some, any, 1, "_etcd-client-ssl._tcp.d: SERVFAIL"},
        {"no downgrade beside https", none, some, https_only, 1, "_etcd-client-ssl._tcp.d: no such record"},
        {"neither", none, none, any, 2, "_etcd-client._tcp.d: no such record"},
        {"both are said not to be there", away, away, any, 2, "no such record"},
        {"the second fails", none, servfail, any, 2, "_etcd-client._tcp.d: SERVFAIL"},
        {"no downgrade by a forged no", none, some, login, 2, "_etcd-client._tcp.d: plain http only, which is not used where auth is set"},
        {"the option for it is named", none, some, login, 2, "discovery.allow_plain"},
        {"nothing plain to name it for", none, none, login, 2, "_etcd-client._tcp.d: no such record"},
        {"https beside a login", some, some, login, 1, "s:a-"},
        {"plain by demand", none, some, plain_all_the_same, 2, "p:a-"},
        {"in the domain", inside, some, in_domain, 1, "s:a.Dd-"},
        {"only in part", mixed, some, in_domain, 1, "s:x.y.d-evilevild"},
        {"outside, and no downgrade for it", outside, some, in_domain, 1, "'d.evil' is outside of the domain"},
        {"what would take them is named", outside, some, in_domain, 1, "discovery.allow_foreign_targets"},
        {"where authorities are named any target is good", outside, some, any, 1, "s:d.evil-"},
        {"plain ones are not verified anyway", none, outside, in_domain, 2, "p:d.evil-"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        std::size_t asked = 0;
        const auto found = find_srv(srv_names("d", ""), row.terms, [&](const std::string& name) {
            ++asked;
            return name == "_etcd-client-ssl._tcp.d" ? row.secure : row.plain;
        });
        CHECK(asked == row.asked);
        if (found) {
            CHECK((found->secure ? "s:" : "p:") + targets(found->records) + "-" + targets(found->foreign) == row.found);
        } else {
            INFO(found.error().message());
            CHECK(found.error().code == errc::discovery_failed);
            CHECK(found.error().detail.find("SRV records of 'd'") == 0);
            CHECK(found.error().detail.find(row.found) != std::string::npos);
        }
    }
}

TEST_CASE("srv: whatever asks for more than plain http is protected from records, unless told otherwise", "[policy][srv]") {
    struct {
        const char* protects;
        std::function<void(client_options&)> change;
        bool in_domain;
    } const rows[] = {
        {"", [](client_options&) {}, true},
        {"auth", [](client_options& o) { o.auth = credentials{"svc", "x"}; }, true},
        {"auth", [](client_options& o) { o.auth = credentials_source::file("svc", "/x"); }, true},
        {"tls.ca_file", [](client_options& o) { o.tls.ca_file = "x"; }, false},
        {"tls.ca_directory", [](client_options& o) { o.tls.ca_directory = "x"; }, false},
        {"tls.ca_pem", [](client_options& o) { o.tls.ca_pem = "x"; }, false},
        {"tls.ca_file", [](client_options& o) { o.tls.ca_file = "x", o.tls.ca_and_system = true; }, true},
        {"tls.cert_file", [](client_options& o) { o.tls.cert_file = "x"; }, true},
        {"tls.cert_pem", [](client_options& o) { o.tls.cert_pem = "x"; }, true},
        {"tls.server_name", [](client_options& o) { o.tls.server_name = "x"; }, false},
        {"tls.min_version", [](client_options& o) { o.tls.min_version = tls_version::v1_3; }, true},
        {"tls.insecure_skip_verify", [](client_options& o) { o.tls.insecure_skip_verify = true; }, false},
        {"", [](client_options& o) { o.discovery.allow_foreign_targets = true; }, false},
    };
    for (const auto& row : rows) {
        client_options o;
        row.change(o);
        const srv_terms terms = policy::terms_of(o, false);
        INFO(row.protects);
        CHECK(terms.protects == row.protects);
        CHECK(terms.in_domain == row.in_domain);
        CHECK_FALSE(terms.allow_plain);
        CHECK_FALSE(terms.https_only);
    }
    client_options o;
    o.discovery.allow_plain = true;
    CHECK(policy::terms_of(o, true).allow_plain);
    CHECK(policy::terms_of(o, true).https_only);
}

TEST_CASE("srv: the order is that of priorities, and within one drawn by weight", "[policy][srv]") {
    const double last = 0.999999;
    struct {
        const char* what;
        records all;
        std::vector<double> draws;
        const char* order;
    } const rows[] = {
        {"nothing", {}, {}, ""},
        {"one", {{0, 0, 1, "a"}}, {last, last}, "a"},
        {"priorities, whatever the draws", {{2, 9, 1, "c"}, {0, 0, 1, "a"}, {1, 9, 1, "b"}}, {last, 0, last, 0}, "abc"},
        // Sums of 0 (a), 10 (b), 40 (c): a gets 1 of 41 draws, b 10, c 30.
        {"the lowest draw is for those without weight", {{0, 30, 1, "c"}, {0, 10, 1, "b"}, {0, 0, 1, "a"}}, {0, 0, 0, 0}, "abc"},
        {"just past it", {{0, 30, 1, "c"}, {0, 10, 1, "b"}, {0, 0, 1, "a"}}, {1.01 / 41, 0, 0, 0}, "bac"},
        {"the last of the second", {{0, 30, 1, "c"}, {0, 10, 1, "b"}, {0, 0, 1, "a"}}, {10.99 / 41, last, 0, 0}, "bca"},
        {"the first of the third", {{0, 30, 1, "c"}, {0, 10, 1, "b"}, {0, 0, 1, "a"}}, {11.01 / 41, last, 0, 0}, "cba"},
        {"no weights: equal chances", {{0, 0, 1, "a"}, {0, 0, 1, "b"}, {0, 0, 1, "c"}}, {0, last, 0, 0.5, 0, 0}, "cba"},
        {"the heaviest there are", {{0, 65535, 1, "a"}, {0, 65535, 1, "b"}}, {last, last}, "ba"},
        {"a draw that was rounded up to all", {{0, 1, 1, "a"}, {0, 1, 1, "b"}}, {1.0, 0}, "ba"},
        {"each priority for itself", {{1, 1, 1, "c"}, {1, 1, 1, "d"}, {0, 1, 1, "a"}, {0, 1, 1, "b"}}, {last, 0, last, 0}, "badc"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        CHECK(targets(in_order(row.all, drawing(row.draws))) == row.order);
        records turned(row.all.rbegin(), row.all.rend());   // the order of the answer means nothing
        CHECK(targets(in_order(turned, drawing(row.draws))) == row.order);
    }
}

TEST_CASE("srv: weights show over many clients", "[policy][srv]") {
    std::map<std::string, int> first;
    policy::random_source random = [generator = std::mt19937(7)]() mutable { return std::uniform_real_distribution<double>{}(generator); };
    for (int i = 0; i < 10'000; ++i) ++first[in_order({{0, 75, 1, "a"}, {0, 25, 1, "b"}, {1, 100, 1, "z"}}, random).front().target];
    CHECK(std::abs(first["a"] - 7'500) < 300);
    CHECK(first["a"] + first["b"] == 10'000);
}
