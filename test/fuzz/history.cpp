#include "fuzz/target.hpp"

#include "testing/history_file.hpp"

#include <optional>
#include <sstream>

using namespace dynconf;
using fuzz::promise;

namespace {

/// As it is written again; none when it is refused.
std::optional<std::string> read_and_written(const std::string& text) {
    std::istringstream in(text);
    std::optional<testing::history> h;
    try {
        h = testing::read_history(in);
    } catch (const std::runtime_error& e) {
        const std::string why = e.what();
        promise(why.starts_with("line ") && why.find(": ") != std::string::npos, "it does not say where: " + why);
        return std::nullopt;
    }
    std::ostringstream out;
    testing::write_history(out, *h);
    return out.str();
}

}  // namespace

FUZZ_TARGET(history) {
    const auto once = read_and_written(std::string(in.rest()));
    if (!once) return;
    const auto twice = read_and_written(*once);
    promise(twice.has_value(), "what it writes it does not read: " + *once);
    promise(*twice == *once, "what is written twice differs");
}
