#include "conformance/normal.hpp"

#include <algorithm>
#include <array>

namespace dynconf::test {

using nlohmann::json;

void forget_chance(json& j) {
    if (j.is_array())
        for (json& item : j) forget_chance(item);
    if (!j.is_object()) return;
    const bool remaining = j.contains("grantedTTL");
    for (auto& [name, value] : j.items()) {
        static constexpr std::array<std::string_view, 17> chance = {"cluster_id", "member_id", "raft_term", "raftTerm", "raftIndex",
            "raftAppliedIndex", "hash", "dbSize", "dbSizeInUse", "dbSizeQuota", "leader", "token", "memberID", "peerURLs",
            "clientURLs", "hash_revision", "name"};
        const bool chosen_id = name == "ID" && value.is_string() && value.get<std::string>().size() > 16;
        if (chosen_id || (remaining && name == "TTL") || std::find(chance.begin(), chance.end(), name) != chance.end()) value = "...";
        if (name == "errors" && value.is_array())
            for (json& e : value)
                if (e.is_string() && e.get<std::string>().starts_with("memberID:")) e = "alarm";
        forget_chance(value);
        if (value.is_array() && (name == "keys" || name == "leases" || name == "members")) std::sort(value.begin(), value.end());
    }
}

std::vector<json> lines_of(std::string_view text) {
    std::vector<json> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!line.empty()) forget_chance(lines.emplace_back(json::parse(line)));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

std::vector<std::string> normal_head(std::string_view answer) {
    std::vector<std::string> lines;
    const auto take = [&](std::string_view block) {
        while (!block.empty()) {
            const auto end = block.find("\r\n");
            const std::string_view line = block.substr(0, end);
            if (line.starts_with("Content-Length: ")) lines.emplace_back("Content-Length");
            else if (!line.empty() && !line.starts_with("Date: ") && !line.starts_with("Access-Control-") && line != "Connection: close")
                lines.emplace_back(line);
            block.remove_prefix(end == std::string_view::npos ? block.size() : end + 2);
        }
    };
    const auto end = answer.find("\r\n\r\n");
    take(answer.substr(0, end));
    if (std::find(lines.begin(), lines.end(), "Transfer-Encoding: chunked") != lines.end())
        if (const auto last = answer.rfind("\r\n0\r\n"); last != std::string_view::npos && last >= end) take(answer.substr(last + 5));
    std::sort(lines.begin(), lines.end());
    return lines;
}

std::string normal(std::string_view body) {
    if (!body.starts_with("{")) return std::string(body);
    std::string out;
    for (const json& l : lines_of(body)) out += l.dump() + '\n';
    return out;
}

}  // namespace dynconf::test
