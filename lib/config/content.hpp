#pragma once

#include <dynconf/config/environment.hpp>
#include <dynconf/config/rejection.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/types.hpp>

#include "config/compiled_schema.hpp"
#include "config/snapshot_data.hpp"

#include <string>
#include <utility>
#include <vector>

namespace dynconf::detail {

/// Turns what a source delivers into snapshots. There is one path from text to value, for loads and for events; a value
/// that the schema refuses leaves the last good one in place. No I/O. One thread at a time.
class content {
public:
    struct outcome {
        snapshot next;
        edit difference = edit::none;      ///< From the snapshot before.
        std::vector<rejection> rejected;
        bool whole = false;                ///< A load, not events.
        std::vector<std::string> missing;  ///< Of a load: names without a text.
    };

    /// `look_up` serves the settings that have no etcd key.
    explicit content(compiled_schema schema, environment_lookup look_up = {})
        : schema_(std::move(schema)), look_up_(std::move(look_up)) {}

    const compiled_schema& schema() const noexcept { return schema_; }

    /// The whole content at `revision`; what is not in it gets its default, and what has no etcd key comes from the
    /// environment.
    outcome load(const snapshot& base, const std::vector<key_value>& all, revision_t revision);
    /// Events of whole revisions; of several for one key the last counts.
    outcome apply(const snapshot& base, const std::vector<event>& events, revision_t revision);
    /// What was kept of an earlier run: texts that were accepted then, and the events that were not. The snapshot is of
    /// origin disk.
    outcome restore(const snapshot& base, const std::vector<key_value>& good, const std::vector<event>& refused,
                    revision_t revision);
    /// etcd says that what was restored is its content as of `revision`: the same values, of origin etcd.
    outcome confirm(const snapshot& base, revision_t revision) const;
    /// The environment and the defaults.
    outcome load_local(const snapshot& base, const environment_lookup& look_up);

private:
    void load_into(snapshot_editor& editor, outcome& out, const snapshot& base, const std::vector<key_value>& all,
                   revision_t revision);
    void apply_to(snapshot_editor& editor, outcome& out, const std::vector<event>& events) const;
    static void commit(snapshot_editor editor, outcome& out, const snapshot& base, revision_t revision, origin from);
    /// What was refused leaves the last good value, or the default.
    void keep(snapshot_editor& editor, std::string_view name) const;
    /// A value that could not be opened is refused.
    void take_unreadable(snapshot_editor& editor, outcome& out, std::string_view name, const key_value& kv) const;
    /// A text, or null for none, into the editor.
    void take(snapshot_editor& editor, outcome& out, std::string_view name, std::string_view key, const std::string* text,
              revision_t revision) const;
    void refuse(outcome& out, std::string_view name, std::string_view key, error why, revision_t revision) const;

    compiled_schema schema_;
    environment_lookup look_up_;
};

}  // namespace dynconf::detail
