#include "policy/bulk_plan.hpp"

#include "support/catch.hpp"

using namespace dynconf;
using policy::bulk_plan;

namespace {

std::vector<op> some_puts(std::size_t n, std::size_t bytes = 1) {
    std::vector<op> ops;
    for (std::size_t i = 0; i < n; ++i) ops.push_back(op::put("k" + std::to_string(i), std::string(bytes, 'x')));
    return ops;
}

bulk_options split(std::size_t max_ops, std::size_t max_bytes = 1 << 20) {
    bulk_options o;
    o.split = true;
    o.max_ops = max_ops;
    o.max_bytes = max_bytes;
    return o;
}

std::vector<std::size_t> counts(const std::vector<bulk_part>& parts) {
    std::vector<std::size_t> all;
    std::size_t next = 0;
    for (const bulk_part& p : parts) {
        CHECK(p.first == next);   // nothing is left out
        next += p.count;
        all.push_back(p.count);
    }
    return all;
}

using sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("bulk plan: what fits is one transaction, and nothing is none", "[bulk_plan]") {
    CHECK(bulk_plan(some_puts(0), {}).value().empty());
    CHECK(counts(bulk_plan(some_puts(1), {}).value()) == sizes{1});
    CHECK(counts(bulk_plan(some_puts(128), {}).value()) == sizes{128});
}

TEST_CASE("bulk plan: past the number of operations or bytes it is refused, or split if that is wanted", "[bulk_plan]") {
    CHECK(bulk_plan(some_puts(129), {}).error().code == server_errc::too_many_ops);
    CHECK(bulk_plan(some_puts(3, 400'000), {}).error().code == server_errc::request_too_large);
    CHECK(counts(bulk_plan(some_puts(129), split(128)).value()) == sizes{128, 1});
    CHECK(counts(bulk_plan(some_puts(5), split(2)).value()) == sizes{2, 2, 1});
    CHECK(counts(bulk_plan(some_puts(5, 400'000), split(128)).value()) == sizes{2, 2, 1});
}

TEST_CASE("bulk plan: what no transaction can hold is named", "[bulk_plan]") {
    std::vector<op> ops = some_puts(2);
    ops.push_back(op::put("large", std::string(2 << 20, 'x')));
    const error large = bulk_plan(ops, split(128)).error();
    CHECK(large.code == server_errc::request_too_large);
    CHECK(large.detail.find("operation 2, large") != std::string::npos);

    ops = some_puts(3);
    ops.push_back(op::put("k1", "again"));
    const error twice = bulk_plan(ops, split(2)).error();   // in another transaction than the first
    CHECK(twice.code == server_errc::duplicate_key);
    CHECK(twice.detail.find("operation 3, k1") != std::string::npos);

    ops = some_puts(1);
    ops.push_back(op::put("", "x"));
    CHECK(bulk_plan(ops, {}).error().code == server_errc::empty_key);
    CHECK(bulk_plan(some_puts(1), split(0)).error().code == errc::invalid_argument);
}

TEST_CASE("bulk plan: ranges, deletes and transactions weigh what they say", "[bulk_plan]") {
    std::vector<op> ops;
    ops.push_back(op::range(key_range::prefix("a")));
    ops.push_back(op::delete_range(key_range::key("a")));
    ops.push_back(op::delete_range(key_range::key("a")));   // twice is no contradiction
    ops.push_back(op::txn(txn().if_(value_of("x") == std::string(300, 'x')).then(op::put("b", std::string(300, 'x'))).else_(op::put("b", "y"))));
    CHECK(counts(bulk_plan(ops, split(128, 800)).value()) == sizes{3, 1});
    CHECK(bulk_plan(ops, split(128, 600)).error().code == server_errc::request_too_large);
}

TEST_CASE("a bulk plan counts the prefix of a view, in which a key may be empty") {
    bulk_options options;
    options.max_bytes = 100;
    const std::vector<op> two{op::put("", "x"), op::put("k", "x")};
    CHECK_FALSE(bulk_plan(two, options));
    options.split = true;
    REQUIRE(bulk_plan(two, options, 6));
    CHECK(bulk_plan(two, options, 6)->size() == 1);
    CHECK(bulk_plan(two, options, 40)->size() == 2);
    CHECK(bulk_plan(two, options, 80).error().code == server_errc::request_too_large);
}

TEST_CASE("a bulk plan counts what a seal adds to each value that is put", "[bulk_plan]") {
    bulk_options options;
    options.max_bytes = 100;
    options.split = true;
    const std::vector<op> two{op::put("a", "x"), op::put("k", "x")};
    CHECK(bulk_plan(two, options, 0, 10)->size() == 1);
    CHECK(bulk_plan(two, options, 0, 47)->size() == 2);
    CHECK(bulk_plan(two, options, 0, 80).error().code == server_errc::request_too_large);
    CHECK(bulk_plan(std::vector<op>{op::range(key_range::key("a"))}, options, 0, 80));
}
