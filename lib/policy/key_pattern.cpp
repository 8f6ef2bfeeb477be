#include <dynconf/search.hpp>

#include <boost/regex.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

namespace dynconf {

namespace {

struct glob_pattern { std::string text; };

/// Where the set that begins at `at`, behind its bracket, ends: at its closing bracket. A bracket in the first place is a
/// member.
std::size_t end_of_set(std::string_view pattern, std::size_t at) {
    if (at < pattern.size() && pattern[at] == '!') ++at;
    return pattern.find(']', at + 1);
}

bool in_set(std::string_view set, char c) {
    const bool negated = set.front() == '!';
    if (negated) set.remove_prefix(1);
    const auto byte = [](char b) { return static_cast<unsigned char>(b); };
    bool found = false;
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i + 2 < set.size() && set[i + 1] == '-') {
            found = found || (byte(set[i]) <= byte(c) && byte(c) <= byte(set[i + 2]));
            i += 2;
        } else {
            found = found || set[i] == c;
        }
    }
    return found != negated;
}

/// What one element of the pattern at `at` takes; none: it does not fit this byte. Moves `at` behind the element.
bool takes(std::string_view pattern, std::size_t& at, char c) {
    switch (pattern[at]) {
        case '?': ++at; return true;
        case '[': {
            const std::size_t end = end_of_set(pattern, at + 1);
            const bool fits = in_set(pattern.substr(at + 1, end - at - 1), c);
            at = end + 1;
            return fits;
        }
        case '\\':
            if (at + 1 < pattern.size()) ++at;
            [[fallthrough]];
        default: return pattern[at++] == c;
    }
}

/// Going back to the last star is enough: an earlier one could only take more of what this one can take as well.
bool glob_matches(std::string_view pattern, std::string_view key) {
    std::size_t p = 0, k = 0;
    std::optional<std::pair<std::size_t, std::size_t>> star;   // behind it in the pattern, and the next byte it would take
    while (k < key.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star.emplace(++p, k);
        } else if (std::size_t next = p; p < pattern.size() && takes(pattern, next, key[k])) {
            p = next;
            ++k;
        } else if (star) {
            p = star->first;
            k = ++star->second;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace

struct key_pattern::impl {
    std::variant<std::string, glob_pattern, boost::regex> what;
};

key_pattern key_pattern::substring(std::string part) { return key_pattern(std::make_shared<const impl>(impl{std::move(part)})); }

key_pattern key_pattern::glob(std::string pattern) {
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == '\\') {
            ++at;
        } else if (pattern[at] == '[') {
            at = end_of_set(pattern, at + 1);
            if (at == std::string::npos) throw std::invalid_argument("dynconf: a set without an end in the glob \"" + pattern + "\"");
        }
    }
    return key_pattern(std::make_shared<const impl>(impl{glob_pattern{std::move(pattern)}}));
}

key_pattern key_pattern::regex(const std::string& expression) {
    try {
        return key_pattern(std::make_shared<const impl>(impl{boost::regex(expression, boost::regex::ECMAScript)}));
    } catch (const boost::regex_error& e) {
        throw std::invalid_argument("dynconf: the regular expression \"" + expression + "\": " + e.what());
    }
}

bool key_pattern::matches(std::string_view key) const {
    if (const auto* part = std::get_if<std::string>(&impl_->what)) return key.find(*part) != std::string_view::npos;
    if (const auto* glob = std::get_if<glob_pattern>(&impl_->what)) return glob_matches(glob->text, key);
    // Boost.Regex throws by itself where the time grows without bound, but takes seconds for that.
    if (key.size() > most_regex_bytes) throw std::runtime_error("dynconf: a key of " + std::to_string(key.size()) + " bytes is too long for a regular expression");
    return boost::regex_search(key.begin(), key.end(), std::get<boost::regex>(impl_->what));
}

}  // namespace dynconf
