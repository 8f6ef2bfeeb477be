#include "policy/srv_records.hpp"

#include "support/catch.hpp"

#include <algorithm>
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
    struct {
        const char* what;
        srv_answer secure;
        srv_answer plain;
        bool secure_only;
        std::size_t asked;
        const char* found;   // "s:" or "p:" and the targets; else words of the error
    } const rows[] = {
        {"https is preferred, and plain not even asked for", some, some, false, 1, "s:a"},
        {"no secure service", none, some, false, 2, "p:a"},
        {"the secure service is said not to be there", away, some, false, 2, "p:a"},
        {"one of its records says nothing", part, some, false, 1, "s:b"},
        {"no downgrade because of a failure", servfail, some, false, 1, "_etcd-client-ssl._tcp.d: SERVFAIL"},
        {"no downgrade beside https", none, some, true, 1, "_etcd-client-ssl._tcp.d: no such record"},
        {"neither", none, none, false, 2, "_etcd-client._tcp.d: no such record"},
        {"both are said not to be there", away, away, false, 2, "no such record"},
        {"the second fails", none, servfail, false, 2, "_etcd-client._tcp.d: SERVFAIL"},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        std::size_t asked = 0;
        const auto found = find_srv(srv_names("d", ""), row.secure_only, [&](const std::string& name) {
            ++asked;
            return name == "_etcd-client-ssl._tcp.d" ? row.secure : row.plain;
        });
        CHECK(asked == row.asked);
        if (found) {
            CHECK((found->secure ? "s:" : "p:") + targets(found->records) == row.found);
        } else {
            INFO(found.error().message());
            CHECK(found.error().code == errc::discovery_failed);
            CHECK(found.error().detail.find("SRV records of 'd'") == 0);
            CHECK(found.error().detail.find(row.found) != std::string::npos);
        }
    }
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
