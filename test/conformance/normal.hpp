#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace dynconf::test {

/// Replaces what differs from one run of an etcd to the next (ids that it chose, terms, tokens, sizes, times), and sorts what
/// has no order.
void forget_chance(nlohmann::json& answer);

/// The JSON objects of a text, one a line, without what is chance.
std::vector<nlohmann::json> lines_of(std::string_view text);

/// The head of an answer in HTTP's bytes, and its trailers, sorted: without the date, the numbers of lengths, the end of the
/// connection, and what is meant for browsers.
std::vector<std::string> normal_head(std::string_view answer);

/// An answer to be compared: its JSON without what is chance, or its text.
std::string normal(std::string_view body);

}  // namespace dynconf::test
