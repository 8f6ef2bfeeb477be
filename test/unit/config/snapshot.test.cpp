#include "support/catch.hpp"

#include "config/snapshot_data.hpp"

#include <dynconf/config/json.hpp>
#include <dynconf/config/snapshot.hpp>

using namespace dynconf;
using namespace std::chrono_literals;

namespace {

snapshot sample() {
    detail::snapshot_editor edit{snapshot()};
    edit.set("port", {value(5432), {origin::etcd, 7}, false});
    edit.set("host", {value("db1"), {origin::environment, 0}, false});
    edit.set("text_port", {value("8080"), {origin::etcd, 8}, false});
    edit.set("wait", {value(1500ms), {origin::defaults, 0}, false});
    edit.set("unset", {value(), {}, false});
    edit.set("token", {value("canary"), {origin::etcd, 9}, true});
    edit.set("unset_token", {value(), {}, true});
    return std::move(edit).commit(12, origin::etcd, 3);
}

}  // namespace

TEST_CASE("a default-made snapshot is empty", "[snapshot]") {
    const snapshot none;
    CHECK(none.empty());
    CHECK(none.revision() == 0);
    CHECK(none.origin() == origin::none);
    CHECK(none.serial() == 0);
    CHECK(none.find("x") == nullptr);
    CHECK_FALSE(none.info("x"));
    CHECK_FALSE(none.is_secret("x"));
    CHECK(none.all().empty());
    CHECK(none.to_json_text() == "{}");
    CHECK(changed_names(none, none).empty());
}

TEST_CASE("a snapshot says what it is and where from", "[snapshot]") {
    const auto now = sample();
    CHECK(now.revision() == 12);
    CHECK(now.origin() == origin::etcd);
    CHECK(now.serial() == 3);
    CHECK(now.size() == 7);
    CHECK(now.info("port") == provenance{origin::etcd, 7});
    CHECK(now.info("host") == provenance{origin::environment, 0});
    CHECK_FALSE(now.info("nobody"));
    CHECK(now.is_secret("token"));
    CHECK_FALSE(now.is_secret("port"));
    CHECK(now == snapshot(now));
    CHECK_FALSE(now == sample());
    CHECK(to_string(origin::defaults) == "default");
}

TEST_CASE("get converts, and names what it cannot give", "[snapshot]") {
    const auto now = sample();
    CHECK(now.get<int>("port").value() == 5432);
    CHECK(now.get<std::string>("host").value() == "db1");
    CHECK(now.get<std::string_view>("host").value().data() == now.find("host")->if_string()->data());
    CHECK(now.get<std::chrono::milliseconds>("wait").value() == 1500ms);
    CHECK(now.get<std::optional<int>>("unset").value() == std::nullopt);

    CHECK(now.get<int>("nobody").error() == make_error_code(errc::unknown_name));
    CHECK(now.get<int>("nobody").error().detail == "nobody");
    CHECK(now.get<std::optional<int>>("nobody").error() == make_error_code(errc::unknown_name));
    CHECK(now.get<int>("unset").error() == make_error_code(errc::required_missing));
    CHECK(now.get<std::uint8_t>("port").error().detail == "port: have integer, wanted uint8");
    CHECK(now.get<std::string>("port").error().code == errc::type_mismatch);
    CHECK(now.get<std::chrono::seconds>("wait").error().code == errc::type_mismatch);
}

TEST_CASE("text is coerced for who wants another type, and never quoted", "[snapshot]") {
    const auto now = sample();
    CHECK(now.get<int>("text_port").value() == 8080);
    CHECK(now.get<std::optional<int>>("text_port").value() == 8080);
    CHECK(now.get<std::string>("text_port").value() == "8080");
    const auto refused = now.get<int>("token");
    CHECK(refused.error().code == errc::type_mismatch);
    CHECK(refused.error().message().find("canary") == std::string::npos);
    CHECK(refused.error().detail.starts_with("token: have text, expected a whole number"));
}

TEST_CASE("get_or falls back for want of a value only", "[snapshot]") {
    const auto now = sample();
    const int port = now.get_or("port", 80);
    CHECK(port == 5432);
    CHECK(now.get_or("nobody", 80) == 80);
    CHECK(now.get_or("unset", 80) == 80);
    CHECK(now.get_or("host", "x") == "db1");
    CHECK(now.get_or("nobody", "x") == std::string("x"));
    CHECK(now.get_or("nobody", std::string_view("x")) == "x");
    CHECK(now.get_or("text_port", 80) == 8080);
    CHECK(now.get_or("nobody", 5s) == 5s);
    CHECK_THROWS_AS(now.get_or("host", 80), exception);
    CHECK_THROWS_AS(now.get_or("port", "x"), exception);
    try {
        static_cast<void>(now.get_or("token", 80));
    } catch (const exception& e) {
        CHECK(std::string(e.what()).find("canary") == std::string::npos);
        CHECK(e.detail().starts_with("token: "));
    }
}

TEST_CASE("all and for_each give everything", "[snapshot]") {
    const auto now = sample();
    const auto all = now.all();
    CHECK(all.size() == 7);
    CHECK(all.at("port") == 5432);
    CHECK(all.at("unset").is_null());
    config_map seen;
    now.for_each([&](const std::string& name, const value& v) { seen.emplace(name, v); });
    CHECK(seen == all);
    CHECK(now.contains("unset"));
}

TEST_CASE("a dump redacts secrets, and shows that they are unset", "[snapshot]") {
    CHECK(sample().to_json_text() ==
          R"({"host":"db1","port":5432,"text_port":"8080","token":"****",)"
          R"("unset":null,"unset_token":null,"wait":"1s500ms"})");
    CHECK(sample().to_json_text(secrets::reveal).find("\"canary\"") != std::string::npos);
}
