//! The sandbox from the outside, over HTTP: its answers compared with Belvo's specification, its
//! data, its misbehaviour.

mod contract;
mod control;
mod data;
mod errors;
mod events;
mod firewall;
mod harness;
mod objects;
mod pages;
mod receiver;
mod resources;
mod retrievals;
mod rules;
mod rules_on_webhooks;
mod specification;
mod violations;
mod webhooks;
mod widget;
