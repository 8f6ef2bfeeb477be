#pragma once

#include <dynconf/error.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/rotation.hpp>
#include <dynconf/types.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// For people. The lines of a watch quote what could confuse a terminal; get shows text as it is.

namespace dynconf::tool::text_lines {

std::string snapshot(revision_t revision, const std::vector<key_value>& content);
std::string update(revision_t revision, std::span<const event> events);
std::string resync(revision_t revision, mirror_step::reason why, std::span<const event> events);
std::string state(std::string_view name, revision_t revision, const std::string& endpoint, const error* cause);

/// Key and value in turn, a line each.
std::string range(const range_response& r, bool keys_only);
std::string put(const put_response& r);
std::string deleted(const delete_response& r);
std::string status(const std::string& endpoint, const result<status_response>& r);
std::string rotated(const rotation_report& r);

}  // namespace dynconf::tool::text_lines
