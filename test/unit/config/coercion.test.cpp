#include "support/catch.hpp"

#include <dynconf/config/coercion.hpp>
#include <dynconf/config/constraint.hpp>
#include <dynconf/config/json.hpp>

#include <cmath>
#include <limits>
#include <random>

using namespace dynconf;
using namespace std::chrono_literals;

namespace {

template <class T> bool takes(std::string_view text, const T& wanted) {
    const auto got = coercion<T>::from(text);
    INFO("text: " << text);
    return got && *got == wanted;
}

template <class T> bool refuses(std::string_view text) {
    const auto got = coercion<T>::from(text);
    return !got && got.error().code == errc::schema_violation;
}

}  // namespace

TEST_CASE("bool: the words, in any case, and nothing else", "[coercion]") {
    for (const auto* yes : {"1", "true", "yes", "y", "on", "enabled", " TRUE ", "Yes\n", "eNaBlEd"})
        CHECK(takes(yes, true));
    for (const auto* no : {"0", "false", "no", "n", "off", "disabled", "\tOFF"}) CHECK(takes(no, false));
    for (const auto* bad : {"", " ", "tru", "truee", "2", "10", "t", "f", "enable", "yes no", "null", "ye\0s"})
        CHECK(refuses<bool>(bad));
}

TEST_CASE("whole numbers: all of the text, within the range", "[coercion]") {
    CHECK(takes<int>("5432", 5432));
    CHECK(takes<int>(" -7\n", -7));
    CHECK(takes<int>("+7", 7));
    CHECK(takes<int>("007", 7));
    CHECK(takes<unsigned>("-0", 0u));
    CHECK(takes<std::int8_t>("-128", std::int8_t{-128}));
    CHECK(takes<std::int8_t>("127", std::int8_t{127}));
    CHECK(takes<std::uint8_t>("255", std::uint8_t{255}));
    CHECK(takes<std::int64_t>("-9223372036854775808", std::numeric_limits<std::int64_t>::min()));
    CHECK(takes<std::int64_t>("9223372036854775807", std::numeric_limits<std::int64_t>::max()));
    CHECK(takes<std::uint64_t>("18446744073709551615", std::numeric_limits<std::uint64_t>::max()));
    CHECK(takes<int>("-2147483648", std::numeric_limits<int>::min()));

    CHECK(refuses<std::int8_t>("128"));
    CHECK(refuses<std::int8_t>("-129"));
    CHECK(refuses<std::uint8_t>("256"));
    CHECK(refuses<std::uint8_t>("-1"));
    CHECK(refuses<std::int64_t>("9223372036854775808"));
    CHECK(refuses<std::int64_t>("-9223372036854775809"));
    CHECK(refuses<std::uint64_t>("18446744073709551616"));
    for (const auto* bad : {"", " ", "-", "+", "+-5", "--5", "10.5", "1e3", "0x10", "1 2", "5a", "a5", "1,000", "nan"})
        CHECK(refuses<int>(bad));
    CHECK(refuses<int>(std::string_view("5\0", 2)));
}

TEST_CASE("floats are finite unless asked otherwise", "[coercion]") {
    CHECK(takes<double>("30", 30.0));
    CHECK(takes<double>(" +0.5 ", 0.5));
    CHECK(takes<double>("-1e3", -1000.0));
    CHECK(takes<double>(".5", 0.5));
    CHECK(takes<double>("1.7976931348623157e308", std::numeric_limits<double>::max()));
    for (const auto* bad : {"", "-", "+-1", "--1", "1e999", "nan", "inf", "-inf",
                            "Infinity", "0x1p3", "1.5s", "1,5", "1.5.2", "e5"})
        CHECK(refuses<double>(bad));
    CHECK(refuses<float>("1e300"));
    CHECK(takes<float>("0.25", 0.25f));
    CHECK(std::isinf(coercion<double>::from_any("-INF").value()));
    CHECK(coercion<double>::from_any("-INF").value() < 0);
    CHECK(std::isnan(coercion<double>::from_any("nan").value()));
    CHECK_FALSE(coercion<double>::from_any("1e999"));
}

TEST_CASE("a text stays as it is", "[coercion]") {
    CHECK(takes<std::string>("  a ", std::string("  a ")));
    CHECK(takes<std::string>("", std::string()));
    CHECK(takes<std::string>(std::string_view("\0\xff", 2), std::string("\0\xff", 2)));
}

TEST_CASE("lists: commas or a JSON array of strings", "[coercion]") {
    using list = std::vector<std::string>;
    CHECK(takes<list>("a,b", {"a", "b"}));
    CHECK(takes<list>(" a , ,b,, ", {"a", "b"}));
    CHECK(takes<list>("", {}));
    CHECK(takes<list>(" , ", {}));
    CHECK(takes<list>("one two", {"one two"}));
    CHECK(takes<list>(R"( ["a,b", "", "c"] )", {"a,b", "", "c"}));
    CHECK(takes<list>("[]", {}));
    for (const auto* bad : {R"(["a")", R"(["a",1])", R"([["a"]])", "[a]", R"(["a"] b)"}) CHECK(refuses<list>(bad));
    CHECK(refuses<list>(std::string(1'000'000, '[')));
}

TEST_CASE("durations: units, plain numbers, exact fractions", "[coercion]") {
    using std::chrono::hours, std::chrono::microseconds, std::chrono::milliseconds, std::chrono::nanoseconds,
        std::chrono::seconds;
    CHECK(takes<milliseconds>("250ms", 250ms));
    CHECK(takes<milliseconds>("250", 250ms));
    CHECK(takes<seconds>("250", 250s));
    CHECK(takes<seconds>(" 1m30s ", 90s));
    CHECK(takes<seconds>("2h", 7200s));
    CHECK(takes<seconds>("1d", 86400s));
    CHECK(takes<hours>("1d12h", 36h));
    CHECK(takes<microseconds>("100us", 100us));
    CHECK(takes<microseconds>("100\xc2\xb5s", 100us));
    CHECK(takes<milliseconds>("1.5s", 1500ms));
    CHECK(takes<milliseconds>("1.500s", 1500ms));
    CHECK(takes<seconds>("1.0s", 1s));
    CHECK(takes<seconds>("-5s", -5s));
    CHECK(takes<seconds>("0", 0s));
    CHECK(takes<seconds>("1.5h", 5400s));
    CHECK(takes<nanoseconds>("0.000000001s", 1ns));
    CHECK(takes<nanoseconds>("9223372036854775807", nanoseconds::max()));
    CHECK(takes<nanoseconds>("-9223372036854775808", nanoseconds::min()));
    CHECK(takes<std::chrono::duration<double>>("1.5", std::chrono::duration<double>(1.5)));

    CHECK(refuses<seconds>("1.5s"));
    CHECK(refuses<seconds>("1.5"));
    CHECK(refuses<seconds>("250ms"));
    CHECK(refuses<hours>("90m"));
    CHECK(refuses<nanoseconds>("0.5ns"));
    CHECK(refuses<nanoseconds>("0.0000000001s"));
    CHECK(refuses<nanoseconds>("9223372036854775808"));
    CHECK(refuses<nanoseconds>("293y"));
    CHECK(refuses<hours>("2562048h"));
    CHECK(refuses<hours>("99999999999999999999h"));
    for (const auto* bad : {"", " ", "s", "5 s", "5S", "1m1m", "30s1m", "5s5", "1.s", ".5s",
                            "1..5s", "5sec", "+", "-", "1e3s", "nan"})
        CHECK(refuses<milliseconds>(bad));
}

TEST_CASE("JSON: one document, not too deep", "[coercion]") {
    CHECK(takes<nlohmann::json>(R"( {"a": [1, 2]} )", nlohmann::json{{"a", {1, 2}}}));
    CHECK(takes<nlohmann::json>("null", nlohmann::json()));
    for (const auto* bad : {"", "{", "{} {}", "{'a':1}", "\xff", "nan"}) CHECK(refuses<nlohmann::json>(bad));
    const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    CHECK(coercion<nlohmann::json>::from(nested(max_json_depth)));
    CHECK(refuses<nlohmann::json>(nested(max_json_depth + 1)));
    CHECK(refuses<nlohmann::json>(std::string(1'000'000, '[')));
    CHECK(coercion<nlohmann::json>::from("\"" + std::string(1000, '[') + "\\\"\""));
}

TEST_CASE("an optional coerces as what it may hold", "[coercion]") {
    CHECK(takes<std::optional<int>>("5", 5));
    CHECK(refuses<std::optional<int>>(""));
}

TEST_CASE("coercion goes on from what a value gives", "[coercion]") {
    CHECK(coercion<int>::from(value("5").get<std::string>()).value() == 5);
    CHECK(coercion<int>::from(value("5").get<std::string_view>()).value() == 5);
    CHECK(coercion<int>::from(value().get<std::string>()).error().code == errc::type_mismatch);
}

TEST_CASE("a refusal says what was expected and quotes little or nothing", "[coercion]") {
    CHECK(coercion<std::int8_t>::from("300").error().detail == "expected a whole number from -128 to 127, got \"300\"");
    const std::string canary = "canary-" + std::string(100, 'x');
    const auto shown = coercion<int>::from(canary).error().detail;
    CHECK(shown.find("canary-") != std::string::npos);
    CHECK(shown.find(std::string(41, 'x')) == std::string::npos);
    CHECK(shown.find("...") != std::string::npos);
    CHECK(coercion<int>::from("a\nb\x1b[2J").error().detail.find('\n') == std::string::npos);
    CHECK(coercion<int>::from("a\nb\x1b[2J").error().detail.find('\x1b') == std::string::npos);

    const auto leaks = [](const auto& refused) {
        REQUIRE_FALSE(refused);
        return refused.error().message().find("canary") != std::string::npos;
    };
    CHECK_FALSE(leaks(coercion<bool>::from(canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<int>::from(canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<double>::from(canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<std::chrono::seconds>::from(canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<nlohmann::json>::from(canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<std::vector<std::string>>::from("[" + canary, quoting::hidden)));
    CHECK_FALSE(leaks(coercion<std::optional<int>>::from(canary, quoting::hidden)));
}

TEST_CASE("canonical text coerces to the same value", "[coercion]") {
    std::mt19937_64 random(20240607);
    for (int i = 0; i < 2000; ++i) {
        const auto n = static_cast<std::int64_t>(random() >> (random() % 64));
        const auto whole = random() % 2 ? n : -n;
        CHECK(takes<std::int64_t>(value(whole).to_text(), whole));
        const std::chrono::nanoseconds d(whole);
        CHECK(takes<std::chrono::nanoseconds>(value(d).to_text(), d));
        const double x = std::ldexp(static_cast<double>(whole), static_cast<int>(random() % 200) - 100);
        CHECK(takes<double>(value(x).to_text(), x));
        std::vector<std::string> items(random() % 4);
        for (auto& item : items)
            for (auto left = random() % 4; left > 0; --left) item += "ab, []\"\\"[random() % 8];
        CHECK(takes<std::vector<std::string>>(value(items).to_text(), items));
    }
}

TEST_CASE("constraints", "[coercion][constraint]") {
    const auto port = in_range<std::uint16_t>(1024, 65535);
    CHECK(port.accepts(1024));
    CHECK(port.accepts(65535));
    CHECK_FALSE(port.accepts(1023));
    CHECK(port.words() == "from 1024 to 65535");
    CHECK_THROWS_AS(in_range(5, 4), std::invalid_argument);
    CHECK_THROWS_AS(in_range(std::nan(""), 1.0), std::invalid_argument);

    const constraint<std::uint64_t> wide = in_range(1, 5);
    CHECK(wide.accepts(5));
    CHECK_FALSE(wide.accepts(std::uint64_t{1} << 40));

    CHECK(in_range(1s, 5s).words() == "from 1s to 5s");
    CHECK(at_least(1).accepts(1));
    CHECK_FALSE(at_least(1).accepts(0));
    CHECK_FALSE(at_least(0.0).accepts(std::nan("")));

    const auto level = one_of({"debug", "info"});
    CHECK(level.accepts("info"));
    CHECK_FALSE(level.accepts("Info"));
    CHECK(level.words() == "one of debug, info");
    CHECK(one_of({1, 2}).accepts(2));
    CHECK_FALSE(one_of({1, 2}).accepts(3));
    CHECK_THROWS_AS(one_of(std::vector<int>()), std::invalid_argument);

    const auto absolute = satisfies<std::string>("an absolute path", [](const auto& s) { return s.starts_with('/'); });
    CHECK(absolute.accepts("/x"));
    CHECK_FALSE(absolute.accepts("x"));
}
