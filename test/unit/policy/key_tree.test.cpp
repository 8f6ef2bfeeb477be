#include <dynconf/key_tree.hpp>

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace dynconf;
using nlohmann::json;

namespace {

key_value kv(std::string key, std::string value) {
    key_value out;
    out.key = std::move(key);
    out.value = std::move(value);
    out.mod_revision = 7;
    out.version = 1;
    return out;
}

}  // namespace

TEST_CASE("key tree: a node may be a key and have keys below it", "[key_tree]") {
    const std::vector<key_value> kvs{kv("/a", "1"), kv("/a/b", "2"), kv("/a/c/d", "3"), kv("x", "4")};
    const key_tree tree = key_tree::of(kvs);
    REQUIRE(tree.find("/a"));
    CHECK(tree.find("/a")->kv->value == "1");
    CHECK(tree.find("/a")->children.size() == 2);
    CHECK_FALSE(tree.find("/a/c")->kv);
    CHECK(tree.find("/a/c/d")->kv->value == "3");
    CHECK(tree.find("x")->kv->value == "4");
    CHECK(tree.find("/a/x") == nullptr);
    CHECK(tree.find("a") == nullptr);   // not the same as "/a"
}

TEST_CASE("key tree: leading, doubled and trailing separators are kept apart", "[key_tree]") {
    const std::vector<key_value> kvs{kv("a/b", "1"), kv("/a/b", "2"), kv("/a//b", "3"), kv("/a/b/", "4"), kv("/", "5"), kv("//", "6")};
    const key_tree tree = key_tree::of(kvs);
    for (const key_value& each : kvs) {
        INFO(each.key);
        REQUIRE(tree.find(each.key));
        REQUIRE(tree.find(each.key)->kv);
        CHECK(tree.find(each.key)->kv->key == each.key);
        CHECK(tree.find(each.key)->kv->value == each.value);
    }
    CHECK(key_tree::of(kvs, '.').children.size() == kvs.size());
}

TEST_CASE("key tree: a key of separators alone is no deeper than others", "[key_tree]") {
    constexpr std::size_t most = key_tree::most_depth;
    const std::string long_one(1'000'000, '/');
    // As many parts as there may be, and one, two more.
    const std::string just(most - 1, '/'), more(most, '/'), most_of_all(most + 1, '/');
    const std::vector<key_value> kvs{kv(long_one, "1"), kv(long_one + "/", "2"), kv(just, "3"), kv(more, "4"), kv(most_of_all, "5"),
                                     kv(just + "a/b", "6"), kv(just + "a", "7")};
    const key_tree tree = key_tree::of(kvs);
    for (const key_value& each : kvs) {
        REQUIRE(tree.find(each.key));
        REQUIRE(tree.find(each.key)->kv);
        CHECK(tree.find(each.key)->kv->value == each.value);
    }
    CHECK(tree.find(just + "a/b")->children.empty());
    CHECK(tree.find(just + "a")->children.empty());
    std::size_t depth = 0;
    for (const key_tree* node = &tree; !node->children.empty(); node = &node->children.begin()->second) ++depth;
    CHECK(depth == most);
    const std::string text = tree.to_json().dump();
    CHECK(text.size() > 3'990'000);   // each long key as a name and as itself
}

TEST_CASE("key tree: as JSON, with bytes that are no text", "[key_tree]") {
    std::vector<key_value> kvs{kv("a", "1"), kv("a/b", "\xff")};
    kvs[0].lease = 5;
    CHECK(key_tree::of(kvs).to_json() == json::parse(R"({"children":{"a":{"key":"a","value":"1","mod_revision":7,"version":1,"lease":5,
        "children":{"b":{"key":"a/b","value_base64":"/w==","mod_revision":7,"version":1}}}}})"));
    kvs = {kv("\xfe/x", "1")};
    const json odd = key_tree::of(kvs).to_json();
    CHECK(odd["children"].contains("base64:/g=="));
    CHECK_NOTHROW((void)odd.dump());
}
