#include "conformance/session.hpp"

namespace dynconf::test {
namespace {

void ranges(target& t) {
    session s(t);
    s.put("b", "5");
    s.put("a", "4");
    s.put("d", "1");
    s.put("c", "2");
    s.put("a", "3");
    s.put("c/x", "0");
    CHECK(keys_of(s.range(everything, everything)) == names{"a", "b", "c", "c/x", "d"});
    CHECK(keys_of(s.range("b", "d")) == names{"b", "c", "c/x"});
    CHECK(keys_of(s.range("c", everything)) == names{"c", "c/x", "d"});
    CHECK(keys_of(s.range("c")) == names{"c"});
    CHECK(keys_of(s.range("d", "b")) == names{});
    CHECK(keys_of(s.range("b", "b")) == names{});
    CHECK(keys_of(s.range("nothing")) == names{});
    const json page = s.range(everything, everything, {{"limit", 2}});
    CHECK(keys_of(page) == names{"a", "b"});
    CHECK(page["more"] == true);
    CHECK(page["count"] == "5");
    for (const int limit : {1, 4, 5, 6, -1}) s.range(everything, everything, {{"limit", limit}});
    for (const char* order : {"NONE", "ASCEND", "DESCEND"})
        for (const char* target : {"KEY", "VERSION", "CREATE", "MOD", "VALUE"}) {
            if (std::string_view(target) == "VERSION") continue;   // no order among equals
            s.range(everything, everything, {{"sort_order", order}, {"sort_target", target}});
            s.range(everything, everything, {{"sort_order", order}, {"sort_target", target}, {"limit", 3}});
        }
    CHECK(keys_of(s.range("a", "c", {{"sort_order", "DESCEND"}, {"sort_target", "VERSION"}})) == names{"a", "b"});
    CHECK(keys_of(s.range(everything, everything, {{"min_mod_revision", 5}})) == names{"a", "c", "c/x"});
    s.range(everything, everything, {{"max_mod_revision", 5}, {"limit", 1}});
    s.range(everything, everything, {{"min_create_revision", 3}, {"max_create_revision", 4}});
    s.range(everything, everything, {{"min_mod_revision", 100}});
    s.range(everything, everything, {{"count_only", true}, {"limit", 1}});
    s.range(everything, everything, {{"count_only", true}, {"max_mod_revision", 3}});
    s.range("a", {}, {{"keys_only", true}});
    for (const int revision : {-1, 1, 2, 3, 7}) s.range(everything, everything, {{"revision", revision}, {"serializable", true}});
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}, {"revision", 8}}) == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/range", {{"range_end", b64("a")}}) == "etcdserver: key is not provided");
}

void puts_and_deletes(target& t) {
    session s(t);
    const std::string odd("\0\xff/ \n", 5);
    s.put(odd, odd);
    s.put("a", "");
    s.put("a", "1", {{"prev_kv", true}});
    s.put("a", "2", {{"prev_kv", true}});
    s.put("new", "1", {{"prev_kv", true}});
    s.ask("/v3/kv/put", {{"key", b64("a")}, {"ignore_value", true}, {"prev_kv", true}});
    CHECK(s.refused("/v3/kv/put", {{"key", b64("zz")}, {"ignore_value", true}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("zz")}, {"value", b64("1")}, {"ignore_lease", true}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"value", b64("1")}, {"ignore_value", true}}) == "etcdserver: value is provided");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"lease", 4}, {"ignore_lease", true}}) == "etcdserver: lease is provided");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("a")}, {"lease", 4}}) == "etcdserver: requested lease not found");
    CHECK(s.refused("/v3/kv/put", {{"value", b64("1")}}) == "etcdserver: key is not provided");
    CHECK(s.refused("/v3/kv/deleterange", json::object()) == "etcdserver: key is not provided");
    CHECK_FALSE(s.erase("zz").contains("deleted"));
    CHECK(s.ask("/v3/kv/deleterange", {{"key", b64("a")}, {"prev_kv", true}})["prev_kvs"].size() == 1);
    CHECK(s.range("a").value("count", "0") == "0");
    s.put("a", "again");
    CHECK(s.range("a")["kvs"][0]["version"] == "1");
    s.range("a", {}, {{"revision", 4}});
    for (const char* key : {"p/1", "p/2", "p/3", "q"}) s.put(key, "v");
    CHECK(s.erase("p/", "p0")["deleted"] == "3");
    CHECK(s.erase("q", everything)["deleted"] == "1");
    CHECK_FALSE(s.erase("z", "b").contains("deleted"));
    s.ask("/v3/kv/deleterange", {{"key", b64(everything)}, {"range_end", b64(everything)}, {"prev_kv", true}});
    s.range(everything, everything);
}

void comparisons(target& t) {
    session s(t);
    s.ask("/v3/lease/grant", {{"ID", 7}, {"TTL", 600}});
    s.put("a", "m");
    s.put("a", "m", {{"lease", 7}});
    s.put("b", "n");
    const auto holds = [&](const json& compare) { return s.ask("/v3/kv/txn", {{"compare", {compare}}}).value("succeeded", false); };
    struct { const char* target; const char* field; json below, same, above; } operands[] = {
        {"VERSION", "version", 1, 2, 3}, {"CREATE", "create_revision", 1, 2, 3}, {"MOD", "mod_revision", 2, 3, 4},
        {"LEASE", "lease", 6, 7, 8}, {"VALUE", "value", b64("l"), b64("m"), b64("mm")}};
    for (const auto& o : operands)
        for (const char* result : {"EQUAL", "NOT_EQUAL", "GREATER", "LESS"})
            for (const json& operand : {o.below, o.same, o.above}) {
                const std::string_view r = result;
                const bool below = operand == o.below, same = operand == o.same;
                const bool expected = r == "EQUAL" ? same : r == "NOT_EQUAL" ? !same : r == "GREATER" ? below : !below && !same;
                CHECK(holds(compare_of("a", o.target, result, o.field, operand)) == expected);
                holds(compare_of("missing", o.target, result, o.field, operand));
            }
    CHECK(holds(compare_of("missing", "CREATE", "EQUAL", "create_revision", 0)));
    CHECK_FALSE(holds(compare_of("missing", "VALUE", "EQUAL", "value", "")));
    CHECK_FALSE(holds(compare_of("missing", "VALUE", "NOT_EQUAL", "value", b64("x"))));
    CHECK(holds({{"key", b64("a")}, {"target", "VERSION"}, {"result", "GREATER"}}));
    // The operand of another target counts for nothing.
    CHECK_FALSE(holds(compare_of("a", "VERSION", "EQUAL", "mod_revision", 2)));
    // Of a range each key has to fit, and of an empty one none.
    CHECK(holds({{"key", b64("a")}, {"range_end", b64("c")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 5}}));
    CHECK_FALSE(holds({{"key", b64("a")}, {"range_end", b64("c")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 4}}));
    holds({{"key", b64("x")}, {"range_end", b64("y")}, {"target", "MOD"}, {"result", "LESS"}, {"mod_revision", 4}});
    holds({{"key", b64("b")}, {"range_end", b64(everything)}, {"target", "VALUE"}, {"result", "EQUAL"}, {"value", b64("n")}});
    CHECK(s.refused("/v3/kv/txn", {{"compare", {{{"target", "VERSION"}}}}}) == "etcdserver: key is not provided");
}

void transactions(target& t) {
    session s(t);
    s.put("a", "1");
    // All its writes are of one revision; a read in the middle sees those before it.
    const json reply = s.ask("/v3/kv/txn", {{"success", {op_range("b"), op_put("b", "1"), op_range("b"), op_delete("a"), op_range("a"), op_delete("zz"),
        op_put("c", "1")}}});
    CHECK(reply["header"]["revision"] == "3");
    CHECK(s.range(everything, everything).at("count") == "2");
    s.ask("/v3/kv/txn", {{"success", {op_delete("zz"), op_range("b", {}, {{"revision", 2}})}}});
    s.ask("/v3/kv/txn", {{"compare", {compare_of("b", "VERSION", "EQUAL", "version", 9)}}, {"failure", {op_put("b", "no"), op_range("b", "d")}}});
    // Inner comparisons are made before the outer writes.
    const json inner = {{"request_txn", {{"compare", {compare_of("n", "VERSION", "EQUAL", "version", 0)}}, {"success", {op_put("inner", "fresh")}},
        {"failure", {op_put("inner", "stale")}}}}};
    s.ask("/v3/kv/txn", {{"success", {op_put("n", "1"), inner, op_range("inner")}}});
    CHECK(wire::from_base64(s.range("inner")["kvs"][0]["value"].get<std::string>()) == "fresh");
    s.ask("/v3/kv/txn", {{"success", {{{"request_txn", {{"success", {{{"request_txn", {{"success", {op_range("b")}}}}}}}}}}}}});

    const char* const twice = "etcdserver: duplicate key given in txn request";
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_put("a", "2")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"failure", {op_put("a", "1"), op_put("a", "2")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_delete("a")}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_delete("a", "c"), op_put("b", "1")}}}) == twice);
    s.ask("/v3/kv/txn", {{"success", {op_delete("a", "c"), op_put("c", "1")}}});
    s.ask("/v3/kv/txn", {{"success", {op_delete("a"), op_delete("a", "b")}}});
    s.ask("/v3/kv/txn", {{"success", {op_put("y", "1"), op_delete("y", everything)}}});   // not seen as twice
    const auto only = [](const json& op) { return json::array({op}); };
    const auto nested = [](const json& then, const json& otherwise) {
        return json{{"request_txn", {{"success", then}, {"failure", otherwise}}}};
    };
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(only(op_put("a", "2")), json::array())}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(json::array(), only(op_put("a", "2")))}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), nested(only(op_delete("a")), json::array())}}}) == twice);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_delete("a"), nested(only(op_put("a", "2")), json::array())}}}) == twice);
    s.ask("/v3/kv/txn", {{"success", {nested(only(op_put("a", "2")), only(op_put("a", "3")))}}});

    CHECK(s.refused("/v3/kv/txn", {{"success", {json::object()}}}) == "etcdserver: key not found");
    CHECK(s.refused("/v3/kv/txn", {{"success", {{{"request_put", {{"value", "eA=="}}}}}}}) == "etcdserver: key is not provided");
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a", {}, {{"revision", 1000}})}}})
        == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "1"), op_range("a", {}, {{"revision", 1000}})}}})
        == "etcdserver: mvcc: required revision is a future revision");
    json many = json::array();
    for (int i = 0; i < 128; ++i) many.push_back(op_put("k" + std::to_string(i), "v"));
    s.ask("/v3/kv/txn", {{"success", many}});
    many.push_back(op_range("a"));
    CHECK(s.refused("/v3/kv/txn", {{"success", many}}) == "etcdserver: too many operations in txn request");
    CHECK(s.refused("/v3/kv/txn", {{"failure", many}}) == "etcdserver: too many operations in txn request");
    many.erase(many.begin(), many.begin() + 2);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a"), nested(many, json::array())}}}) == "etcdserver: too many operations in txn request");
    // Nothing of a refused one was done.
    s.range(everything, everything);
}

void sizes(target& t) {
    session s(t);
    s.put("big", std::string(1'500'000, 'x'));
    CHECK(s.refused("/v3/kv/put", {{"key", b64("big")}, {"value", b64(std::string(1'572'864, 'x'))}}) == "etcdserver: request is too large");
    CHECK(s.refused("/v3/kv/put", {{"key", b64("big")}, {"value", b64(std::string(2'098'176, 'x'))}}).starts_with("grpc: received message larger than max"));
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("1", std::string(800'000, 'x')), op_put("2", std::string(800'000, 'x'))}}})
        == "etcdserver: request is too large");
}

void compaction(target& t) {
    session s(t);
    for (int i = 0; i < 5; ++i) s.put("a", std::to_string(i));
    s.put("gone", "1");
    s.erase("gone");
    s.put("b", "1");
    s.ask("/v3/kv/compaction", {{"revision", 4}, {"physical", true}});
    const char* const compacted = "etcdserver: mvcc: required revision has been compacted";
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 4}}) == compacted);
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 3}}) == compacted);
    CHECK(s.refused("/v3/kv/compaction", {{"revision", 1000}}) == "etcdserver: mvcc: required revision is a future revision");
    CHECK(s.refused("/v3/kv/range", {{"key", b64("a")}, {"revision", 3}}) == compacted);
    s.range("a", {}, {{"revision", 4}});
    s.range("gone", {}, {{"revision", 7}});
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_range("a", {}, {{"revision", 3}})}}}) == compacted);
    CHECK(s.refused("/v3/kv/txn", {{"success", {op_put("a", "x"), op_range("a", {}, {{"revision", 3}})}}}) == compacted);
    s.ask("/v3/kv/compaction", {{"revision", 9}, {"physical", true}});
    s.range(everything, everything);
    s.put("gone", "back");
    CHECK(s.range("gone")["kvs"][0]["version"] == "1");
}

constexpr conformance_case all[] = {{"ranges", ranges}, {"puts and deletes", puts_and_deletes}, {"comparisons", comparisons},
    {"transactions", transactions}, {"sizes", sizes}, {"compaction", compaction}};

}  // namespace

std::span<const conformance_case> kv_cases() { return all; }

}  // namespace dynconf::test
