#pragma once

// All of dynconf. Each header also stands alone.

#include <dynconf/bulk.hpp>
#include <dynconf/client.hpp>
#include <dynconf/conditional.hpp>
#include <dynconf/config/control_unit.hpp>
#include <dynconf/config/declared_schema.hpp>
#include <dynconf/config/manager.hpp>
#include <dynconf/config/schema.hpp>
#include <dynconf/config/settings.hpp>
#include <dynconf/config/snapshot.hpp>
#include <dynconf/config/source.hpp>
#include <dynconf/config/status.hpp>
#include <dynconf/config/values_by_keys.hpp>
#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/key_tree.hpp>
#include <dynconf/kv.hpp>
#include <dynconf/maintenance.hpp>
#include <dynconf/mirror.hpp>
#include <dynconf/options.hpp>
#include <dynconf/outcome_resolver.hpp>
#include <dynconf/range_reader.hpp>
#include <dynconf/search.hpp>
#include <dynconf/stm.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>
#include <dynconf/watch.hpp>
#include <dynconf/write_outcome.hpp>
