#include "conformance/random_requests.hpp"

#include "wire/base64.hpp"

namespace dynconf::test {
namespace {

std::string b64(std::string_view bytes) { return '"' + wire::to_base64(bytes) + '"'; }
const std::string no_end(1, '\0');

}  // namespace

std::string random_requests::key() {
    static const char* const keys[] = {"a", "a/", "a/1", "a/2", "b", "b0", "c", "d"};
    return keys[below(std::size(keys))];
}

std::string random_requests::range(bool open_end) {
    std::string out = "\"key\":" + b64(one_in(8) ? no_end : key());
    if (one_in(2)) out += ",\"range_end\":" + b64(open_end && one_in(3) ? no_end : key());
    return out;
}

std::string random_requests::range_options(std::int64_t revision) {
    std::string out;
    const auto near = [&] { return std::to_string(revision - static_cast<std::int64_t>(below(12)) + 1); };
    if (one_in(3)) out += ",\"limit\":" + std::to_string(below(5));
    if (one_in(5)) out += ",\"revision\":" + near();
    static const char* const orders[] = {"NONE", "ASCEND", "DESCEND"};
    if (one_in(4)) out += std::string(R"(,"sort_order":")") + orders[below(3)] + '"';
    if (one_in(8)) out += R"(,"sort_target":"KEY")";   // etcd's sort leaves the order of equals open
    if (one_in(6)) out += R"(,"keys_only":true)";
    if (one_in(6)) out += R"(,"count_only":true)";
    for (const char* filter : {"min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"})
        if (one_in(10)) out += std::string(",\"") + filter + "\":" + near();
    return out;
}

std::string random_requests::put() {
    std::string out = "\"key\":" + b64(key());
    if (one_in(8)) out += R"(,"ignore_value":true)";
    else out += ",\"value\":" + b64(std::to_string(below(5)));
    if (one_in(4)) out += ",\"lease\":" + std::to_string(1 + below(4));
    else if (one_in(8)) out += R"(,"ignore_lease":true)";
    if (one_in(3)) out += R"(,"prev_kv":true)";
    return out;
}

std::string random_requests::op(std::int64_t revision, int depth) {
    switch (below(depth > 0 ? 7 : 6)) {
        case 0: case 1: return R"({"request_range":{)" + range() + range_options(revision) + "}}";
        case 2: case 3: case 4: return R"({"request_put":{)" + put() + "}}";
        case 5: return R"({"request_delete_range":{)" + range(false) + (one_in(2) ? R"(,"prev_kv":true}})" : "}}");
        default: return R"({"request_txn":)" + txn(revision, depth - 1) + "}";
    }
}

std::string random_requests::compare() {
    static const char* const results[] = {"EQUAL", "GREATER", "LESS", "NOT_EQUAL"};
    static const char* const targets[] = {"VERSION", "CREATE", "MOD", "VALUE", "LEASE"};
    static const char* const fields[] = {"version", "create_revision", "mod_revision", "value", "lease"};
    const auto what = below(5);
    const std::string operand = what == 3 ? b64(std::to_string(below(5))) : std::to_string(below(what == 1 || what == 2 ? 200 : 4));
    return "{" + range() + R"(,"result":")" + results[below(4)] + R"(","target":")" + targets[what] + R"(",")" + fields[what] + "\":" + operand + "}";
}

std::string random_requests::txn(std::int64_t revision, int depth) {
    const auto list = [&](const char* name, std::uint64_t most, auto&& item) {
        std::string out = std::string("\"") + name + "\":[";
        const auto count = below(most + 1);
        for (std::uint64_t i = 0; i < count; ++i) out += (i == 0 ? "" : ",") + item();
        return out + "]";
    };
    return "{" + list("compare", 2, [&] { return compare(); }) + "," + list("success", 3, [&] { return op(revision, depth); }) + ","
        + list("failure", 3, [&] { return op(revision, depth); }) + "}";
}

random_requests::one random_requests::next(std::int64_t revision) {
    switch (below(24)) {
        case 0: return {"/v3/lease/grant", R"({"TTL":600,"ID":)" + std::to_string(1 + below(4)) + "}"};
        case 1:
            if (one_in(2)) return {"/v3/lease/revoke", R"({"ID":)" + std::to_string(1 + below(4)) + "}"};
            return {"/v3/lease/timetolive", R"({"keys":true,"ID":)" + std::to_string(1 + below(4)) + "}"};
        case 2: return {"/v3/kv/compaction", R"({"revision":)" + std::to_string(revision - static_cast<std::int64_t>(below(20))) + "}"};
        case 3: case 4: return {"/v3/kv/deleterange", "{" + range() + (one_in(2) ? R"(,"prev_kv":true})" : "}")};
        case 5: case 6: case 7: case 8: case 9: return {"/v3/kv/put", "{" + put() + "}"};
        case 10: case 11: case 12: case 13: case 14: return {"/v3/kv/range", "{" + range() + range_options(revision) + "}"};
        case 15: return {"/v3/lease/leases", "{}"};
        default: return {"/v3/kv/txn", txn(revision, 2)};
    }
}

}  // namespace dynconf::test
