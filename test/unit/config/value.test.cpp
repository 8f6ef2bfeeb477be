#include "support/catch.hpp"

#include <dynconf/config/json.hpp>
#include <dynconf/config/value.hpp>

#include <cmath>
#include <limits>

using namespace dynconf;
using namespace std::chrono_literals;

namespace {
constexpr auto max64 = std::numeric_limits<std::int64_t>::max();
constexpr auto min64 = std::numeric_limits<std::int64_t>::min();
constexpr auto max_u64 = std::numeric_limits<std::uint64_t>::max();
}  // namespace

static_assert(!std::is_convertible_v<int*, value>, "a pointer is not a bool");
static_assert(!std::is_convertible_v<char, value>, "a character is not a number");
static_assert(std::is_nothrow_move_constructible_v<value>);

TEST_CASE("a value takes the type of what it is made from", "[value]") {
    CHECK(value().type() == value_type::null);
    CHECK(value(nullptr).is_null());
    CHECK(value(true).type() == value_type::boolean);
    CHECK(value(5).type() == value_type::integer);
    CHECK(value(std::int8_t{-5}).type() == value_type::integer);
    CHECK(value(5u).type() == value_type::integer);
    CHECK(value(static_cast<std::uint64_t>(max64)).type() == value_type::integer);
    CHECK(value(static_cast<std::uint64_t>(max64) + 1).type() == value_type::unsigned_integer);
    CHECK(value(1.5f).type() == value_type::floating);
    CHECK(value("x").type() == value_type::text);
    CHECK(value(std::string_view("x")).type() == value_type::text);
    CHECK(value(std::vector<std::string>{"a"}).type() == value_type::list);
    CHECK(value(5s).type() == value_type::duration);
    CHECK(value(nlohmann::json::array()).type() == value_type::json);
    CHECK(value(nlohmann::json()).type() == value_type::json);
    CHECK(value::from_storage(value::json_type()).is_null());
    CHECK(value(std::optional<int>()).is_null());
    CHECK(value(std::optional<int>(3)) == value(3));
    CHECK_THROWS_AS(value(std::chrono::hours::max()), std::out_of_range);
    CHECK_THROWS_AS(value(std::chrono::duration<double>(1e300)), std::out_of_range);
    CHECK_THROWS_AS(value(std::chrono::duration<double>(std::nan(""))), std::out_of_range);
}

TEST_CASE("values are equal when type and content are", "[value]") {
    CHECK(value(5) == value(5u));
    CHECK(value(5) != value(5.0));
    CHECK(value("5") != value(5));
    CHECK(value(5s) == value(5000ms));
    CHECK(value(std::nan("")) == value(std::nan("")));
    CHECK(value(std::nan("")) != value(1.0));
    CHECK(make_json_value({{"a", 1}}) == make_json_value({{"a", 1}}));
    CHECK(make_json_value({{"a", 1}}) != make_json_value({{"a", 2}}));
    CHECK(value() == value(nullptr));
    CHECK(value(false) != value());
}

TEST_CASE("whole numbers convert when they fit", "[value]") {
    CHECK(value(255).get<std::uint8_t>().value() == 255);
    CHECK_FALSE(value(256).get<std::uint8_t>());
    CHECK_FALSE(value(-1).get<std::uint8_t>());
    CHECK(value(-128).get<std::int8_t>().value() == -128);
    CHECK_FALSE(value(-129).get<std::int8_t>());
    CHECK(value(max_u64).get<std::uint64_t>().value() == max_u64);
    CHECK_FALSE(value(max_u64).get<std::int64_t>());
    CHECK(value(min64).get<std::int64_t>().value() == min64);
    CHECK(value(max64).get<std::uint64_t>().value() == static_cast<std::uint64_t>(max64));
    CHECK_FALSE(value(1).get<bool>());
    CHECK_FALSE(value(true).get<int>());
}

TEST_CASE("a float reads as a whole number only when it is one", "[value]") {
    CHECK(value(10.0).get<int>().value() == 10);
    CHECK(value(-0.0).get<unsigned>().value() == 0);
    CHECK_FALSE(value(10.5).get<int>());
    CHECK_FALSE(value(-1.0).get<unsigned>());
    CHECK_FALSE(value(2147483648.0).get<std::int32_t>());
    CHECK(value(-2147483648.0).get<std::int32_t>().value() == std::numeric_limits<std::int32_t>::min());
    CHECK_FALSE(value(9223372036854775808.0).get<std::int64_t>());
    CHECK(value(-9223372036854775808.0).get<std::int64_t>().value() == min64);
    CHECK(value(9223372036854775808.0).get<std::uint64_t>().value() == std::uint64_t{1} << 63);
    CHECK_FALSE(value(18446744073709551616.0).get<std::uint64_t>());
    CHECK_FALSE(value(std::nan("")).get<int>());
    CHECK_FALSE(value(HUGE_VAL).get<std::uint64_t>());
    CHECK(value(3).get<double>().value() == 3.0);
    CHECK(value(1.5).get<float>().value() == 1.5f);
    CHECK_FALSE(value(1e300).get<float>());
    CHECK(std::isinf(value(HUGE_VAL).get<float>().value()));
}

TEST_CASE("durations convert exactly or not at all", "[value]") {
    CHECK(value(90s).get<std::chrono::milliseconds>().value() == 90000ms);
    CHECK_FALSE(value(90s).get<std::chrono::minutes>());
    CHECK(value(120s).get<std::chrono::minutes>().value() == 2min);
    CHECK(value(1500ms).get<std::chrono::duration<double>>().value().count() == 1.5);
    using tiny = std::chrono::duration<std::int8_t>;
    CHECK(value(127s).get<tiny>().value().count() == 127);
    CHECK_FALSE(value(128s).get<tiny>());
    CHECK_FALSE(value(5).get<std::chrono::seconds>());
    using picoseconds = std::chrono::duration<std::int64_t, std::pico>;
    CHECK(value(1us).get<picoseconds>().value().count() == 1'000'000);
    CHECK_FALSE(value(std::chrono::nanoseconds::max()).get<picoseconds>());
}

TEST_CASE("a mismatch names both types and shows no value", "[value]") {
    const auto refused = value("hunter2").get<std::int16_t>();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::type_mismatch);
    CHECK(refused.error().detail == "have text, wanted int16");
    CHECK(value().get<std::string>().error().detail == "have null, wanted text");
    CHECK(value(5).get<nlohmann::json>().error().detail == "have integer, wanted JSON");
}

TEST_CASE("only an optional reads null", "[value]") {
    CHECK(value().get<std::optional<int>>().value() == std::nullopt);
    CHECK(value(5).get<std::optional<int>>().value() == 5);
    CHECK_FALSE(value("x").get<std::optional<int>>());
    CHECK_FALSE(value().get<int>());
}

TEST_CASE("looking allocates nothing and refers into the value", "[value]") {
    const value text(std::string(100, 'x'));
    CHECK(text.get<std::string_view>().value().data() == text.if_string()->data());
    CHECK(text.if_integer() == nullptr);
    CHECK(*value(7).if_integer() == 7);
    const auto document = make_json_value({{"a", 1}});
    CHECK(document.if_json()->at("a") == 1);
    CHECK(value("{}").if_json() == nullptr);
}

TEST_CASE("canonical text", "[value]") {
    CHECK(value().to_text() == "");
    CHECK(value(true).to_text() == "true");
    CHECK(value(min64).to_text() == "-9223372036854775808");
    CHECK(value(max_u64).to_text() == "18446744073709551615");
    CHECK(value(0.1).to_text() == "0.1");
    CHECK(value(30.0).to_text() == "30");
    CHECK(value(-HUGE_VAL).to_text() == "-inf");
    CHECK(value(std::vector<std::string>{"a", "b"}).to_text() == "a,b");
    CHECK(value(std::vector<std::string>{"a,b", " c"}).to_text() == R"(["a,b"," c"])");
    CHECK(value(std::vector<std::string>{"[a"}).to_text() == R"(["[a"])");
    CHECK(value(std::vector<std::string>{"[\xe5", "b"}).to_text() == ",[\xe5,b");
    CHECK(value(std::vector<std::string>{""}).to_text() == R"([""])");
    CHECK(value(90s).to_text() == "1m30s");
    CHECK(value(0s).to_text() == "0s");
    CHECK(value(-1500us).to_text() == "-1ms500us");
    CHECK(value(49h + 1ns).to_text() == "49h1ns");
    CHECK(value(std::chrono::nanoseconds::min()).to_text() == "-2562047h47m16s854ms775us808ns");
    CHECK(make_json_value({{"b", 1}}).to_text() == R"({"b":1})");
}

TEST_CASE("JSON text", "[value]") {
    CHECK(value().to_json_text() == "null");
    CHECK(value(true).to_json_text() == "true");
    CHECK(value(-5).to_json_text() == "-5");
    CHECK(value(30.0).to_json_text() == "30.0");
    CHECK(value(std::nan("")).to_json_text() == "\"nan\"");
    CHECK(value("a\"\n").to_json_text() == R"("a\"\n")");
    CHECK(value("\xff").to_json_text() == "\"\xef\xbf\xbd\"");
    CHECK(value(std::vector<std::string>{"a", "b"}).to_json_text() == R"(["a","b"])");
    CHECK(value(250ms).to_json_text() == "\"250ms\"");
    CHECK(make_json_value({{"b", nullptr}}).to_json_text() == R"({"b":null})");
}
