//! The planner and the checker over whole units: cases in words, and properties over made-up worlds.

mod access_logs;
mod auth;
mod below;
mod check;
mod consistent;
mod external;
mod functions;
mod grace;
mod hand_over;
mod imports;
mod listeners;
mod networks;
mod properties;
mod resources;
mod rules;
mod services;
mod support;
mod tags;
mod target_groups;
mod vpc_endpoints;
mod vpc_settings;
mod worlds;
