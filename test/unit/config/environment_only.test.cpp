#include <dynconf/config/declared_schema.hpp>

#include "config/content.hpp"
#include "support/catch.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace dynconf;

namespace {

struct app {
    std::string host;
    int instance = 0;
    std::string zone;
};

std::shared_ptr<const schema> app_schema() {
    auto made = std::make_shared<declared_schema<app>>("/app");
    made->optional("host", &app::host, {.etcd = "Host", .env = "HOST"}, "localhost")
        .optional("instance", &app::instance, {.env = "INSTANCE"}, 1)
        .required("zone", &app::zone, {.env = "ZONE"});
    return made;
}

detail::content with(environment_lookup look_up) {
    return detail::content(detail::compiled_schema::compile(app_schema()).value(), std::move(look_up));
}

environment_lookup only(std::string variable, std::string text) {
    return [variable, text](const std::string& asked) {
        return asked == variable ? std::optional<std::string>(text) : std::nullopt;
    };
}

}  // namespace

TEST_CASE("content: a setting without an etcd key comes from the environment, also when etcd is loaded", "[config]") {
    auto machine = with([](const std::string& variable) -> std::optional<std::string> { return variable == "INSTANCE" ? "7" : "here"; });
    const auto loaded = machine.load({}, {}, 5);
    CHECK(loaded.next.get<int>("instance").value() == 7);
    CHECK(loaded.next.info("instance") == provenance{origin::environment, 0});
    CHECK(loaded.next.get<std::string>("zone").value() == "here");
    CHECK(loaded.next.get<std::string>("host").value() == "localhost");   // has a key: the environment is its fallback only
    CHECK(loaded.missing == std::vector<std::string>{"host"});
    CHECK(loaded.rejected.empty());
}

TEST_CASE("content: such a setting is checked and missed as any other", "[config]") {
    auto machine = with(only("INSTANCE", "seven"));
    const auto loaded = machine.load({}, {}, 5);
    CHECK(loaded.next.get<int>("instance").value() == 1);
    CHECK(loaded.missing == std::vector<std::string>{"host", "instance", "zone"});
    REQUIRE(loaded.rejected.size() == 2);
    CHECK(loaded.rejected[0].key == "INSTANCE");
    CHECK(loaded.rejected[1].reason.code == errc::required_missing);
}
