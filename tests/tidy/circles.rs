//! Files of a crate import each other in no circle, except a module and its own children.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    files::{text, tracked},
    root,
};

const CRATES: [&str; 6] = ["domain", "infra", "commands", "projections", "api", "server"];

/// The path of a module in its crate; empty for the root.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn only_a_module_and_its_children_import_each_other() {
    for name in CRATES {
        for circle in circles(&imports(&sources(name))) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            assert!(is_family(&circle), "a circle of files in {name}: {}", names.join(", "));
        }
    }
}

/// The text of every module of a crate.
fn sources(name: &str) -> BTreeMap<Module, String> {
    let folder = root().join(name).join("src");
    let files = tracked(".rs").into_iter().filter_map(|file| {
        let path = file.strip_prefix(&folder).ok()?.with_extension("");
        let mut module: Module =
            path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
        Some((module, text(&file)))
    });
    let files: BTreeMap<_, _> = files.collect();
    assert!(!files.is_empty(), "{name} has no files");
    files
}

/// What each module imports; a re-export counts as the module that it leads to.
fn imports(sources: &BTreeMap<Module, String>) -> Imports {
    let named: Vec<(&Module, Name)> = sources
        .iter()
        .flat_map(|(module, text)| names(text).into_iter().map(move |name| (module, name)))
        .filter_map(|(module, name)| Some((module, name.absolute(sources, module)?)))
        .collect();
    let reexports = named.iter().filter_map(|(module, name)| {
        let alias = name.reexported_as.clone()?;
        Some((((*module).clone(), alias), name.path.clone()))
    });
    let reexports: Reexports = reexports.collect();
    let mut imports: Imports = sources.keys().map(|module| (module.clone(), [].into())).collect();
    for (module, name) in named.iter().filter(|(_, name)| name.reexported_as.is_none()) {
        let imported = follow(sources, &reexports, &name.path);
        if imported != **module {
            imports.entry((*module).clone()).or_default().insert(imported);
        }
    }
    imports
}

/// By module and name, the path that a re-export stands for.
type Reexports = BTreeMap<(Module, String), Module>;

/// A path that a file names.
struct Name {
    path: Vec<String>,
    /// What a `pub use` calls it.
    reexported_as: Option<String>,
}

/// The paths that a file names: those of its `use` declarations, and those that begin with `crate` or `super`.
fn names(text: &str) -> Vec<Name> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: Vec<&str> = text.lines().filter_map(|line| line.split("//").next()).collect();
    let code = code.join("\n").replace("(in crate::", "(");
    let mut names = Vec::new();
    for statement in code.split(';') {
        let (before, tree) = statement.rsplit_once("use ").unwrap_or((statement, ""));
        let is_public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        for path in paths(tree) {
            let (path, alias) = path.split_once(" as ").unwrap_or((&path, &path));
            let alias = alias.rsplit("::").next().map(|alias| alias.trim().to_owned());
            names.push(Name::new(path, alias.filter(|_| is_public)));
        }
        let words = before.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        let paths = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
        names.extend(paths.map(|path| Name::new(path, None)));
    }
    names
}

/// The paths of a `use` tree: of `a::{b, c::d}` they are `a::b` and `a::c::d`.
fn paths(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.trim_end().strip_suffix('}').unwrap_or(rest);
    let mut depth = 0;
    let parts = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let parts = parts.filter(|part| !part.trim().is_empty()).flat_map(paths);
    parts.map(|path| format!("{}{path}", prefix.trim())).collect()
}

impl Name {
    fn new(path: &str, reexported_as: Option<String>) -> Self {
        let parts = path.split("::").filter(|part| !part.is_empty());
        Self { path: parts.map(|part| part.trim().to_owned()).collect(), reexported_as }
    }

    /// The same name from the root of the crate; `None` for one of another crate.
    fn absolute(self, sources: &BTreeMap<Module, String>, from: &Module) -> Option<Self> {
        let mut path = from.clone();
        match self.path.first()?.as_str() {
            "crate" => path.clear(),
            "self" | "super" => {}
            child => {
                path.push(child.to_owned());
                sources.get(&path)?;
                path.pop();
            }
        }
        for part in self.path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => drop(path.pop()),
                _ => path.push(part),
            }
        }
        Some(Self { path, ..self })
    }
}

/// The module that a path leads to.
fn follow(sources: &BTreeMap<Module, String>, reexports: &Reexports, path: &[String]) -> Module {
    let is_module = |end: &usize| sources.contains_key(&path[..*end]);
    let end = (1..=path.len()).take_while(is_module).last().unwrap_or(0);
    let Some(item) = path.get(end) else { return path.to_vec() };
    match reexports.get(&(path[..end].to_vec(), item.clone())) {
        Some(target) => follow(sources, reexports, &[target, &path[end + 1..]].concat()),
        None => path[..end].to_vec(),
    }
}

/// Groups of modules that lead to each other.
fn circles(imports: &Imports) -> BTreeSet<BTreeSet<Module>> {
    let reached: BTreeMap<_, _> =
        imports.keys().map(|module| (module, reachable(imports, module))).collect();
    let circle = |module: &Module| {
        let reached_back = reached[module].iter().filter(|other| reached[other].contains(module));
        reached_back.cloned().collect::<BTreeSet<Module>>()
    };
    imports.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

fn reachable(imports: &Imports, from: &Module) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = imports[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module.clone()) {
            open.extend(&imports[module]);
        }
    }
    reached
}

/// Whether one of the modules, which is not the root, is the parent of all others.
fn is_family(circle: &BTreeSet<Module>) -> bool {
    let parent = circle.iter().min_by_key(|module| module.len());
    parent.is_some_and(|parent| {
        !parent.is_empty() && circle.iter().all(|module| module.starts_with(parent))
    })
}

#[test]
fn circles_are_found_however_a_file_names_another() {
    let cases = [
        ("use crate::b::B;", "use super::{\n    c::C,\n    a::{A, self},\n};", true),
        ("use crate::b;", "pub(in crate::a) fn f() {}", false),
        ("fn f() -> super::b::B {}", "use crate::a as other; // use crate::c;", true),
        ("use std::{a, b};", "use crate::a;\n#[cfg(test)]\nmod tests {", false),
        ("// use crate::b;", "use crate::a;", false),
        ("use crate::c::B;", "use crate::a;", true),
        ("use crate::c::Other;", "use crate::a;", false),
    ];
    for (a, b, is_circle) in cases {
        let c = "pub(crate) use super::b::{C as B, D};";
        let sources = [("a", a), ("b", b), ("c", c)]
            .map(|(name, text)| (vec![name.to_owned()], text.to_owned()));
        let found = circles(&imports(&sources.into()));
        assert_eq!(found.len(), usize::from(is_circle), "{a} {b}");
        assert!(!found.iter().any(is_family));
    }
}

#[test]
fn a_family_is_a_module_with_its_descendants() {
    let circle = |names: &[&str]| {
        let module = |name: &&str| name.split("::").map(str::to_owned).collect::<Module>();
        names.iter().map(module).collect()
    };
    assert!(is_family(&circle(&["a", "a::b", "a::b::c"])));
    assert!(!is_family(&circle(&["a::b", "a::c"])));
    assert!(!is_family(&BTreeSet::from([Vec::new(), vec!["a".to_owned()]])));
}
