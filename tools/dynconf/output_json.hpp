#pragma once

#include <dynconf/error.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/rotation.hpp>
#include <dynconf/types.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

// Each function gives one JSON object as one line with its newline. Bytes that are not UTF-8 stand as base64 under a
// name that says so: "key_base64", "value_base64", "keys_base64".

namespace dynconf::tool::json_lines {

/// "keys" holds names and values; a pair with bytes that are not UTF-8 stands in "keys_base64", both parts encoded.
std::string snapshot(revision_t revision, const std::vector<key_value>& content);
std::string update(revision_t revision, std::span<const event> events);
std::string resync(revision_t revision, mirror_step::reason why, std::span<const event> events);
/// Empty or absent parts are left out.
std::string state(std::string_view name, revision_t revision, const std::string& endpoint, const error* cause);

std::string range(const range_response& r, bool keys_only);
std::string put(const put_response& r);
std::string deleted(const delete_response& r);
std::string status(const std::string& endpoint, const result<status_response>& r);
std::string rotated(const rotation_report& r);

}  // namespace dynconf::tool::json_lines
