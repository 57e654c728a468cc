"""Pictures of a graph, and the graph as networkx sees it. Nothing that runs a graph imports this.

Here graphviz and networkx may be imported; ``Graph.draw``, ``Graph.to_networkx`` and the inline
picture of notebooks lead here when they are first used.
"""
